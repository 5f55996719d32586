"""The driver's face, typed: what this backend uses of ``asyncpg``. Reads: nothing. Read next: errors.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol, overload

from headwater.errors import MissingExtra

DRIVER_OPTIONS = frozenset(
    {
        *("host", "port", "user", "password", "dbname", "passfile", "application_name", "target_session_attrs"),
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "ssl_min_protocol_version"),
    }
)
"""Options of a URL that the driver itself understands; it takes any other for a setting of the server."""


class Row(Protocol):
    """A record: its values by number, or all of them in order."""

    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, at: int | slice) -> Any: ...


class Cursor(Protocol):
    """A cursor on the server, open until the end of its transaction."""

    async def fetch(self, n: int, *, timeout: float | None = ...) -> list[Row]:
        """The next rows, at most so many; none after the last."""
        ...


class Connection(Protocol):
    """What this backend uses of the driver's connection, typed."""

    async def execute(self, query: str, *args: Any, timeout: float | None = ...) -> str:
        """Run a statement, or without values several of them; gives the last one's status."""
        ...

    async def fetch(self, query: str, *args: Any, timeout: float | None = ...) -> list[Row]:
        """All rows of a statement."""
        ...

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = ...) -> Row | None:
        """The first row of a statement."""
        ...

    async def fetchval(self, query: str, *args: Any, column: int = ..., timeout: float | None = ...) -> Any:
        """One value of the first row of a statement, ``None`` for no row."""
        ...

    def get_server_pid(self) -> int:
        """The number of the server's process for this session."""
        ...

    def transaction(self, *, isolation: str = ..., readonly: bool = ...) -> AbstractAsyncContextManager[object]:
        """A transaction for a block: committed at its end, or undone if it ends in an error."""
        ...

    def cursor(
        self, query: str, *args: Any, prefetch: int | None = ..., timeout: float | None = ...
    ) -> Awaitable[Cursor]:
        """A cursor, inside a transaction."""
        ...

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """Call back for each notification, with the connection, the server's process, the channel and the payload."""
        ...

    def add_termination_listener(self, callback: Callable[..., None]) -> None:
        """Call back when the connection is gone."""
        ...

    async def close(self, *, timeout: float | None = ...) -> None:
        """Say goodbye and close."""
        ...

    def terminate(self) -> None:
        """Close without a word."""
        ...

    def is_closed(self) -> bool:
        """Whether it is gone."""
        ...

    def get_server_version(self) -> Sequence[Any]:
        """The server's version, the major number first."""
        ...


class Pool(Protocol):
    """Connections of one kind, lent to whoever asks."""

    async def acquire(self, *, timeout: float | None = ...) -> Connection:
        """A connection nobody else uses. Raises ``TimeoutError``."""
        ...

    async def release(self, connection: Connection, *, timeout: float | None = ...) -> None:
        """Bring a connection back."""
        ...

    async def close(self) -> None:
        """Close all connections, once they are brought back."""
        ...

    def terminate(self) -> None:
        """Close all connections at once."""
        ...


def driver() -> ModuleType:
    """The driver itself. Raises ``MissingExtra`` where it is not installed."""
    try:
        return import_module("asyncpg")
    except ImportError as error:
        raise MissingExtra("postgres", "asyncpg", "PostgreSQL") from error


async def connect(address: str, settings: Mapping[str, str], **options: Any) -> Connection:
    """A connection with these settings of the server."""
    connection: Connection = await driver().connect(address, server_settings=dict(settings), **options)
    return connection


async def make_pool(address: str, settings: Mapping[str, str], *, size: int, **options: Any) -> Pool:
    """A pool of at most so many connections, opened as they are needed and given back as they are, without a reset."""
    pool: Pool = await driver().create_pool(
        address, min_size=0, max_size=size, reset=_leave, server_settings=dict(settings), **options
    )
    return pool


async def _leave(connection: Connection) -> None:
    """What a block changes on its connection, it takes back itself."""
