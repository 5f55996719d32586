"""What somebody types into a search field, understood. Reads: words.py, tables.py. Read next: selection.py.

All words must be in the row, in any of its searched fields. ``pri*`` is any word that begins so, ``"paper jam"`` are
words in a row, ``-toner`` must not be there. Everything else is taken for words or for the space between them, so no
text is an error, except one that is too long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from headwater.errors import InvalidFilter
from headwater.read_models import RELEVANCE
from headwater.read_store.columns import Column, Stored
from headwater.words import stem_of, words_of

_LONGEST = 500
_MOST_TERMS = 32
_MUCH_TEXT = 100
_PART = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')

RELEVANCE_COLUMN = Column(name=RELEVANCE, type=float, kind="real", nullable=False)
"""How well a row fits a search: not stored, but sorted by as if it were."""


class Phrase(msgspec.Struct, frozen=True):
    """Words in a row, most often a single one. If it ``is_prefix``, the last need only begin so."""

    words: tuple[str, ...]
    is_prefix: bool = False

    def places(self, words: Sequence[str]) -> list[int]:
        """Where in a text it begins. This is the reference for what a backend's index does."""
        size = len(self.words)
        return [at for at in range(len(words) - size + 1) if self._is_at(words[at : at + size])]

    def _is_at(self, found: Sequence[str]) -> bool:
        *others, last = self.words
        if list(found[:-1]) != others:
            return False
        return found[-1].startswith(last) if self.is_prefix else found[-1] == last


class Search(msgspec.Struct, frozen=True):
    """Rows in which all ``wanted`` are found and none ``excluded``. Without any of them it finds nothing.

    ``is_common`` is what so many rows have that they are not ranked, as what only excludes: all of them fit alike.
    """

    wanted: tuple[Phrase, ...]
    excluded: tuple[Phrase, ...] = ()
    is_common: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no word in it, so that no row can have it."""
        return not self.wanted and not self.excluded

    def relevance(self, columns: Iterable[Column], values: Mapping[str, Stored]) -> float | None:
        """How well a row fits, given by its stored columns; ``None`` if it does not. The reference for backends.

        What is found more often, in fields of greater weight, and in less text, fits better: backends agree so far.
        """
        texts = [(column.weight, str(values[column.search_name] or "").split(" ")) for column in columns]
        if self.is_empty or any(phrase.places(words) for phrase in self.excluded for _, words in texts):
            return None
        length = sum(len(words) for _, words in texts)
        relevance = 0.0
        for phrase in self.wanted:
            found = sum(weight * len(phrase.places(words)) for weight, words in texts)
            if not found:
                return None
            relevance += found / (found + 1 + length / _MUCH_TEXT)
        return relevance


def search_of(text: str, language: str) -> Search | None:
    """What the text asks for; ``None`` if it is blank. Raises ``InvalidFilter`` if it is too long."""
    if len(text) > _LONGEST:
        raise InvalidFilter(f"a search has at most {_LONGEST} characters, not {len(text)}", field="search")
    if not text.strip():
        return None
    wanted: dict[Phrase, None] = {}
    excluded: dict[Phrase, None] = {}
    for minus, quoted, bare in _PART.findall(text):
        phrase = _phrase(quoted or bare, language, is_prefix=not quoted and bare.endswith("*"))
        if phrase is not None:
            (excluded if minus else wanted)[phrase] = None
    if len(wanted) + len(excluded) > _MOST_TERMS:
        raise InvalidFilter(f"a search has at most {_MOST_TERMS} words", field="search")
    return Search(tuple(wanted), tuple(excluded), is_common=not wanted)


def _phrase(text: str, language: str, *, is_prefix: bool) -> Phrase | None:
    words = [word.text for word in words_of(text, stem_of(language))]
    if is_prefix and words:  # the beginning of a word has no form of its own
        *_, last = words_of(text, stem_of("simple"))
        words[-1] = last.text
    return Phrase(tuple(words), is_prefix) if words else None
