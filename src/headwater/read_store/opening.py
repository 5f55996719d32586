"""From a URL to an open read store. Reads: protocol.py. Read next: memory.py, backends/sqlite/read_store.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Protocol

from headwater.errors import UnsupportedUrl
from headwater.event_store.opening import opener_of
from headwater.read_store.protocol import ReadStore

GROUP = "headwater.read_stores"
_BUILT_IN = {
    "memory": ("headwater.read_store.opening", "open_memory"),
    "sqlite": ("headwater.backends.sqlite.read_store", "open_sqlite"),
    "postgresql": ("headwater.backends.postgres.read_store", "open_postgres"),
    "postgres": ("headwater.backends.postgres.read_store", "open_postgres"),
}
_SQLITE, _POSTGRES = "sqlite:", ("postgresql:", "postgres:")


class Opener(Protocol):
    """What a backend registers for its URL scheme in the entry-point group ``headwater.read_stores``."""

    async def __call__(self, url: str, *, migrate: bool) -> ReadStore:
        """Open the store of that URL; ``migrate`` allows an older schema to be brought up to date."""
        ...


@asynccontextmanager
async def open_read_store(url: str, *, migrate: bool = True) -> AsyncGenerator[ReadStore, None]:
    """The read store of a URL, closed at the end of the block.

    ``memory:``, ``sqlite:///x.read.db``, ``postgresql://host/database``, or what a plug-in brings.
    Raises ``UnsupportedUrl`` and what the backend raises, all ``StoreError``.
    """
    opener: Opener = opener_of(url, GROUP, _BUILT_IN, "read store")
    store = await opener(url, migrate=migrate)
    try:
        yield store
    finally:
        await store.close()


def read_store_url(event_store_url: str) -> str:
    """Where read models stand unless said otherwise: beside the log. ``sqlite:///x.db`` gives ``sqlite:///x.read.db``.

    In PostgreSQL it is a schema of its own in the same database, ``headwater_read``. Options of the log are not options
    of the read store, so they are left out, except for those that say how to connect.
    """
    if event_store_url.startswith(_POSTGRES):
        beside: Callable[[str], str] = import_module("headwater.backends.postgres.read_store").read_store_beside
        return beside(event_store_url)
    if not event_store_url.startswith(_SQLITE):
        return event_store_url
    address = event_store_url.partition("?")[0]
    stem, dot, ending = address.rpartition(".")
    if not dot or "/" in ending or stem.endswith("/"):
        return f"{address}.read.db"
    return f"{stem}.read.{ending}"


async def open_memory(url: str, *, migrate: bool) -> ReadStore:  # noqa: ARG001  an Opener
    """Empty read models that live as long as the block."""
    from headwater.read_store.memory import MemoryReadStore

    if url not in {"memory:", "memory://"}:
        raise UnsupportedUrl(f"{url!r} has a path or options, which memory does not", remedy="write memory:", url=url)
    return MemoryReadStore()
