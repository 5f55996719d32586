"""From a URL to an open event store. Reads: protocol.py. Read next: memory.py, backends/sqlite/event_store.py."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import unquote

from headwater.clock import Clock
from headwater.errors import UnsupportedUrl
from headwater.event_store.protocol import EventStore
from headwater.unopened import Unopened

GROUP = "headwater.backends"
_BUILT_IN = {
    "memory": ("headwater.event_store.opening", "open_memory"),
    "postgres": ("headwater.backends.postgres.event_store", "open_postgres"),
    "postgresql": ("headwater.backends.postgres.event_store", "open_postgres"),
    "sqlite": ("headwater.backends.sqlite.event_store", "open_sqlite"),
}
_SERVER = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:(?P<port>[0-9]*))?")
_LARGEST_PORT = 65_535


class Opener(Protocol):
    """What a backend registers for its URL scheme in the entry-point group ``headwater.backends``."""

    async def __call__(self, url: str, *, clock: Clock | None, migrate: bool) -> EventStore:
        """Open the store of that URL; ``migrate`` allows an older schema to be brought up to date."""
        ...


def open_store(
    url: str, *, clock: Clock | None = None, migrate: bool = True
) -> AbstractAsyncContextManager[EventStore]:
    """The event store of a URL, closed at the end of the block.

    ``memory:``, ``sqlite:///path.db``, ``postgresql://user@host/database``, or what a plug-in adds.

    ``clock`` gives ``recorded_at``. Raises ``UnsupportedUrl`` and what the backend raises, all ``StoreError``.
    """
    opened = _opened(url, clock=clock, migrate=migrate)
    return Unopened(opened, what="event store", written="async with open_store(...) as store")


@asynccontextmanager
async def _opened(url: str, *, clock: Clock | None, migrate: bool) -> AsyncGenerator[EventStore, None]:
    opener: Opener = opener_of(url, GROUP, _BUILT_IN, "backend")
    store = await opener(url, clock=clock, migrate=migrate)
    try:
        yield store
    finally:
        await store.close()


def url_to_show(url: str) -> str:
    """The URL without passwords, as it may stand on a screen or in a log.

    >>> url_to_show("postgresql://ann:secret@host/db?sslpassword=secret&pool=4")
    'postgresql://ann@host/db?pool=4'

    Of one whose password has characters that end it too early, only the scheme is shown.
    """
    address, mark, query = url.partition("?")
    scheme, slashes, rest = address.partition("://")
    options = "&".join(each for each in query.split("&") if _may_be_shown(each))
    if slashes and not rest.startswith("/"):
        user, at, place = rest.rpartition("@")
        if not names_servers(place.partition("/")[0]):
            return f"{scheme}{slashes}..."
        address = f"{scheme}{slashes}{user.partition(':')[0]}{at}{place}"
    return f"{address}{mark}{options}" if options else address


def names_servers(text: str) -> bool:
    """Whether it is ``host``, ``host:port`` or ``[address]:port``, or several of them with commas between."""
    found = [_SERVER.fullmatch(each) for each in text.split(",")]
    return all(each is not None and int(each["port"] or 0) <= _LARGEST_PORT for each in found)


def _may_be_shown(option: str) -> bool:
    name, _, value = option.partition("=")
    return "password" not in name.lower() and "@" not in unquote(value or name)


def schemes() -> tuple[str, ...]:
    """The URL schemes that can be opened here."""
    from importlib.metadata import entry_points

    return tuple(sorted({*_BUILT_IN, *entry_points(group=GROUP).names}))


async def open_memory(url: str, *, clock: Clock | None, migrate: bool) -> EventStore:  # noqa: ARG001  an Opener
    """An empty log that lives as long as the block."""
    from headwater.event_store.memory import MemoryEventStore

    if url not in {"memory:", "memory://"}:
        raise UnsupportedUrl(f"{url!r} has a path or options, which memory does not", remedy="write memory:", url=url)
    return MemoryEventStore(clock=clock)


def opener_of(url: str, group: str, built_in: Mapping[str, tuple[str, str]], what: str) -> Any:
    """What opens the URL: of the schemes that are ``built_in``, or an entry point of the group.

    ``what`` names it in ``UnsupportedUrl``, which shows no password.
    """
    given: Any = url
    if not isinstance(given, str):
        remedy = "write it as text, like sqlite:///shop.db"
        raise UnsupportedUrl(f"a URL is text, not {type(given).__name__}", remedy=remedy)
    scheme, colon, _ = url.partition(":")
    if colon and scheme in built_in:
        module, name = built_in[scheme]
        return getattr(import_module(module), name)
    from importlib.metadata import entry_points

    found = next(iter(entry_points(group=group, name=scheme)), None)
    if not colon or found is None:
        known = ", ".join(f"{known}:" for known in sorted({*built_in, *entry_points(group=group).names}))
        meant = "" if colon or "sqlite" not in built_in else _meant(url)
        shown = url_to_show(url)
        raise UnsupportedUrl(f"no {what} for {shown!r}", remedy=f"known are {known}{meant}", url=shown)
    return found.load()


def _meant(text: str) -> str:
    return "; did you mean memory:?" if text == "memory" else f"; for an SQLite file write sqlite:///{text}"
