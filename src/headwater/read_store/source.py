"""What a reader needs of a read store. Reads: selection.py. Read next: reader.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Protocol

import msgspec

from headwater.errors import QueryError
from headwater.read_store.figures import Summary, Summed
from headwater.read_store.selection import Selection
from headwater.read_store.tables import RowKey, Table


class SqlFace(msgspec.Struct, frozen=True, eq=False):
    """How a store's tables are named in SQL of your own: its ``dialect`` (sqlite, postgresql), its ``schema``."""

    dialect: str
    schema: str | None
    name_of: Callable[[str], str]


class RowSource(Protocol):
    """Gives rows, and never changes any."""

    @property
    def sql_face(self) -> SqlFace | None:
        """How to name its tables in SQL; ``None`` for a store without SQL, whose ``query`` is never called."""
        ...

    async def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of any SELECT in the store's own SQL. Raises ``ReadOnlyViolation``, ``QueryError``."""
        ...

    @property
    def cursor_key(self) -> bytes:
        """The secret that page cursors are signed with, the same for everybody who uses this store."""
        ...

    async def get(self, table: Table, key: RowKey) -> Any | None:
        """The row of a key."""
        ...

    async def select(self, selection: Selection) -> list[Any]:
        """The selected rows, in order."""
        ...

    async def count(self, selection: Selection) -> int:
        """How many rows meet the conditions, whatever the place and limit."""
        ...

    async def summarise(self, summary: Summary) -> Summed:
        """The figures of each group of rows, in no order. Raises ``QueryError`` for too many groups."""
        ...

    def stream(self, selection: Selection) -> AsyncGenerator[Any, None]:
        """The selected rows, in order, a bounded number in memory at a time, all from one snapshot."""
        ...


def no_sql() -> QueryError:
    """The error of a store that has no SQL."""
    return QueryError("read models in memory have no SQL", remedy="open with a read_store= on SQLite or PostgreSQL")
