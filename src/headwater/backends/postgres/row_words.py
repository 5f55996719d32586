"""Whether a search may find more rows than are ranked, by the server's statistics. Reads: row_reading.py.

Looking at that many rows takes as long as ranking few, so only searches for common words alone have them counted.
Read next: read_store.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple

from headwater.backends.postgres.row_plans import MOST_RANKED, TableSql, shortened
from headwater.backends.postgres.row_reading import RowReader
from headwater.backends.postgres.statements import statement
from headwater.read_store.searching import Search

_BELIEVED_SECONDS = 60.0


class CommonWords:
    """What is known of the words of each table; asked for once a minute."""

    def __init__(self, reader: RowReader, schema: str) -> None:
        self._reader = reader
        self._schema = schema
        self._known: dict[str, _Known] = {}

    async def too_many_have(self, search: Search, names: TableSql) -> bool:
        """Whether more rows have what is searched for than are ranked: they are counted, unless it is surely rare."""
        if search.is_empty:
            return False
        table = shortened(names.table.stored_name)
        known = self._known.get(table)
        if known is None or known.until < monotonic():
            known = self._known[table] = await self._look(table)
        if known.is_rare(search):
            return False
        ((is_common,),) = await self._reader.rows(*names.is_common(search))
        return bool(is_common)

    async def _look(self, table: str) -> _Known:
        row = await self._reader.row(statement("load_common_words"), (self._schema, table))
        facts: tuple[Any, ...] = (-1.0, None, None) if row is None else tuple(row)
        rows, words, shares = facts
        having = None if words is None else {word: share * rows for word, share in zip(words, shares, strict=False)}
        return _Known(rows if rows > 0 else None, having, monotonic() + _BELIEVED_SECONDS)


class _Known(NamedTuple):
    """How many rows a table has, and how many have each common word; ``None`` is not known. Believed ``until`` then."""

    rows: float | None
    words: Mapping[str, float] | None
    until: float

    def is_rare(self, search: Search) -> bool:
        """Whether few rows can have it, even if there are twice as many as the statistics say."""
        few = MOST_RANKED / 2
        if self.rows is not None and self.rows <= few:
            return True
        if self.words is None:
            return False
        whole = (phrase.words[:-1] if phrase.is_prefix else phrase.words for phrase in search.wanted)
        return any(self.words.get(word, 0.0) <= few for words in whole for word in words)
