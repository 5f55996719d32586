"""Read models at rest.

Read in this order: columns.py tables.py filters.py searching.py highlighting.py views.py selection.py cursor.py
buckets.py figures.py reporting.py reader.py checkpoints.py protocol.py memory.py opening.py; then statements.py, with
which the databases begin.
"""

from __future__ import annotations

from headwater.read_store.checkpoints import Checkpoint, Fleet, Regrant, Share, Worker
from headwater.read_store.filters import AnyOf, Contains, In, IsNull, Ne, Prefix, Range
from headwater.read_store.opening import open_read_store, read_store_url
from headwater.read_store.protocol import Changes, ReadStore, TableChanges
from headwater.read_store.reader import Reader
from headwater.read_store.tables import Table, tables_of

__all__ = [
    "AnyOf",
    "Changes",
    "Checkpoint",
    "Contains",
    "Fleet",
    "In",
    "IsNull",
    "Ne",
    "Prefix",
    "Range",
    "ReadStore",
    "Reader",
    "Regrant",
    "Share",
    "Table",
    "TableChanges",
    "Worker",
    "open_read_store",
    "read_store_url",
    "tables_of",
]
