"""What is used of a client library, typed here, because two libraries have the same calls. Read next: cache.py."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from headwater.errors import MissingExtra

_LIBRARIES = ("redis.asyncio", "valkey.asyncio")


class Client(Protocol):
    """A connection pool to one server."""

    async def get(self, name: bytes) -> bytes | None:
        """The value of a key."""
        ...

    async def set(self, name: bytes, value: bytes, *, px: int) -> Any:
        """Set a key for so many milliseconds."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


def client_of(url: str, timeout_seconds: float, connections: int) -> Client:
    """A client of that URL, ``redis:``, ``rediss:`` or ``unix:``. It connects when it is first used.

    Raises ``MissingExtra``, and ``ValueError`` for a URL that the library does not understand.
    """
    made: Any = _library().from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        max_connections=connections,
        decode_responses=False,
    )
    return cast("Client", made)


def _library() -> Any:
    missing: ModuleNotFoundError | None = None
    for name in _LIBRARIES:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != name.partition(".")[0]:
                raise
            missing = error
    raise MissingExtra("valkey", "redis", "a shared cache") from missing
