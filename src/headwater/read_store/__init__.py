"""Read models at rest.

Read in this order: columns.py tables.py filters.py searching.py highlighting.py views.py selection.py cursor.py
buckets.py figures.py reporting.py reader.py checkpoints.py protocol.py memory.py opening.py; then statements.py, with
which the databases begin.

Names are loaded when they are first used: a query is declared with filters, not with a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.lazy import lazily

if TYPE_CHECKING:  # what a type checker sees; at run time the table below does the same, lazily
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

_MODULE_OF = {
    "AnyOf": "headwater.read_store.filters",
    "Changes": "headwater.read_store.protocol",
    "Checkpoint": "headwater.read_store.checkpoints",
    "Contains": "headwater.read_store.filters",
    "Fleet": "headwater.read_store.checkpoints",
    "In": "headwater.read_store.filters",
    "IsNull": "headwater.read_store.filters",
    "Ne": "headwater.read_store.filters",
    "Prefix": "headwater.read_store.filters",
    "Range": "headwater.read_store.filters",
    "ReadStore": "headwater.read_store.protocol",
    "Reader": "headwater.read_store.reader",
    "Regrant": "headwater.read_store.checkpoints",
    "Share": "headwater.read_store.checkpoints",
    "Table": "headwater.read_store.tables",
    "TableChanges": "headwater.read_store.protocol",
    "Worker": "headwater.read_store.checkpoints",
    "open_read_store": "headwater.read_store.opening",
    "read_store_url": "headwater.read_store.opening",
    "tables_of": "headwater.read_store.tables",
}

__getattr__ = lazily(__name__, (), _MODULE_OF)
