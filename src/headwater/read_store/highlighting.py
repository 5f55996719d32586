"""Shows where in a row a search found its words. Reads: searching.py. Read next: reader.py.

The text is a user's, and goes into pages: it is escaped as HTML, and ``<mark>`` is the only element in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from headwater.read_store.columns import Column
from headwater.read_store.searching import Search
from headwater.words import Word, stem_of, words_of

_FRAGMENT_CHARACTERS = 200
_LEAD_CHARACTERS = 60
_LOOKED_THROUGH = 100_000
_CUT = "\u2026"


def highlights_of(row: object, columns: Iterable[Column], language: str, search: Search) -> dict[str, str]:
    """By field, the part of a row's text that has the search's words, marked; fields without them are left out."""
    found: dict[str, str] = {}
    for column in columns:
        text = getattr(row, column.name)
        marked = _marked(text, language, search) if isinstance(text, str) else None
        if marked is not None:
            found[column.name] = marked
    return found


def _marked(text: str, language: str, search: Search) -> str | None:
    words = list(words_of(text[:_LOOKED_THROUGH], stem_of(language)))
    spans = _spans(words, search)
    if not spans:
        return None
    start, end = _window(text, words, *spans[0])
    parts: list[str] = [_CUT] if start else []
    at = start
    for first, last in spans:
        if last > end:
            break
        parts += [escape(text[at:first]), "<mark>", escape(text[first:last]), "</mark>"]
        at = last
    parts += [escape(text[at:end]), _CUT if end < len(text) else ""]
    return "".join(parts)


def _spans(words: Sequence[Word], search: Search) -> list[tuple[int, int]]:
    """Where in the text the wanted words stand; what overlaps is one."""
    texts = [word.text for word in words]
    found = sorted(
        (words[at].start, words[at + len(phrase.words) - 1].end)
        for phrase in search.wanted
        for at in phrase.places(texts)
    )
    joined: list[tuple[int, int]] = []
    for start, end in found:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _window(text: str, words: Sequence[Word], first: int, last: int) -> tuple[int, int]:
    """A part of the text around the first word found that begins and ends between words; all of it if it is short."""
    if len(text) <= _FRAGMENT_CHARACTERS:
        return 0, len(text)
    start = min((word.start for word in words if word.start >= first - _LEAD_CHARACTERS), default=0)
    start = 0 if first <= _LEAD_CHARACTERS else start
    end = max((word.end for word in words if word.end <= start + _FRAGMENT_CHARACTERS), default=len(text))
    if len(text) <= start + _FRAGMENT_CHARACTERS:
        end = len(text)
    return start, max(end, last)
