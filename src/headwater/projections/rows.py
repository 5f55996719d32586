"""Rows of a projection between its store and its folding. Reads: read_store/protocol.py.

Read next: composer.py, projector.py, which both look rows up and hand them over here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from headwater.errors import ProjectionError, StoreError
from headwater.projections.folding import Rows
from headwater.read_store.protocol import ReadStore, TableChanges
from headwater.read_store.tables import RowKey, Table


async def load_rows(store: ReadStore, projection: str, table: Table, keys: Iterable[RowKey]) -> dict[RowKey, Any]:
    """The rows of these keys, as far as there are any. Raises ``ProjectionError`` for one that is no row any more."""
    try:
        return await store.load(table, keys)
    except StoreError:
        raise
    except Exception as error:
        raise ProjectionError(f"a row of {projection} cannot be read back: {error}") from error


def table_changes(projection: str, table: Table, rows: Rows) -> TableChanges:
    """What to store and what to delete. Raises ``ProjectionError`` for a row that cannot be stored."""
    try:
        puts = [table.values_of(row) for row in rows.values() if row is not None]
    except Exception as error:
        raise ProjectionError(f"a row of {projection} cannot be stored: {error}") from error
    return TableChanges(table, puts, [key for key, row in rows.items() if row is None])
