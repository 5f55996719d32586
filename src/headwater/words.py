"""Text as the words that a search looks for: the same in every read store, and in the search itself.

Reads: errors.py. Read next: read_models.py (``Searchable``), read_store/searching.py.

A word is a run of letters, digits and their marks, without case and accents. Scripts that leave no space between words
(Han, Kana, Thai ...) give a word for each character, which a search then finds in a row. Databases are handed words,
never text, so that none of them has rules of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

from headwater.errors import MissingExtra

Stem: TypeAlias = Callable[[str], str]

SIMPLE = "simple"
_ASCII_WORD = re.compile(r"[0-9A-Za-z]+")
_LONGEST_WORD = 100
_MOST_WORDS = 10_000
_MOST_CHARACTERS = 100_000
_LEARNED_BELOW = 2_000
_UNSPACED = (
    range(0x0E00, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1780, 0x1800),  # Khmer
    range(0x3040, 0x3100),  # Kana
    range(0x3400, 0x4DC0),  # Han
    range(0x4E00, 0xA000),
    range(0xF900, 0xFB00),
    range(0x20000, 0x40000),
)


class Word(NamedTuple):
    """A word of a text, as it is compared, and where it stands."""

    text: str
    start: int
    end: int


def words_of(text: str, stem: Stem) -> Iterator[Word]:
    """The words of a text in order."""
    for start, end in _spans(text):
        folded = fold(text[start:end])
        if folded:
            yield Word(stem(folded), start, end)


def fold(word: str) -> str:
    """A word without case and accents; empty if nothing is left of it.

    >>> fold("Überfluß")
    'uberfluss'
    """
    if word.isascii():
        return word.lower()[:_LONGEST_WORD]
    bare = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in bare.casefold() if _is_part(each) and not unicodedata.combining(each))[
        :_LONGEST_WORD
    ]


def indexed_words(text: str | None, language: str = SIMPLE) -> str:
    """What an index keeps of a text: its first words (10,000 at most), one space between them."""
    if not text:
        return ""
    if len(text) < _LEARNED_BELOW:
        return _learned(text, language)
    return _indexed(text[:_MOST_CHARACTERS], language)


def stem_of(language: str) -> Stem:
    """What words of a language are cut to; ``simple`` leaves them whole.

    Raises ``ValueError`` with the known languages, and ``MissingExtra``.
    """
    return _unchanged if language == SIMPLE else _stemmer(language)


def languages() -> tuple[str, ...]:
    """The languages that can be declared. Raises ``MissingExtra`` where only ``simple`` is there."""
    return (SIMPLE, *sorted(_snowball().algorithms()))


@lru_cache(maxsize=4_096)
def _learned(text: str, language: str) -> str:
    """Rows are stored again and again with the same text."""
    return _indexed(text, language)


def _indexed(text: str, language: str) -> str:
    kept: list[str] = []
    length = 0
    for word in words_of(text, stem_of(language)):
        length += len(word.text) + 1
        if len(kept) == _MOST_WORDS or length > _MOST_CHARACTERS:
            break
        kept.append(word.text)
    return " ".join(kept)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    if text.isascii():
        yield from (found.span() for found in _ASCII_WORD.finditer(text))
        return
    start: int | None = None
    for at, character in enumerate(text):
        stands_alone = any(ord(character) in block for block in _UNSPACED) if character > "\u0dff" else False
        if start is not None and (stands_alone or not _is_part(character)):
            yield start, at
            start = None
        if stands_alone and _is_part(character):
            yield at, at + 1
        elif start is None and character.isalnum():
            start = at
    if start is not None:
        yield start, len(text)


def _is_part(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _unchanged(word: str) -> str:
    return word


@lru_cache(maxsize=64)
def _stemmer(language: str) -> Stem:
    snowball = _snowball()
    known = languages()
    if language not in known:
        msg = f"no language is called {language!r}; there are: {', '.join(known)}"
        raise ValueError(msg)
    stem: Stem = lru_cache(maxsize=65_536)(snowball.stemmer(language).stemWord)
    return stem


def _snowball() -> Any:
    try:
        return import_module("snowballstemmer")
    except ImportError as error:
        raise MissingExtra("search", "snowballstemmer", "searching in the forms of a language") from error
