"""The shared cache on Valkey or Redis. Reads: client.py, breaker.py, queries/shared.py (the port).

A cache may make nothing worse: each call has a short time-out, whatever goes wrong is a miss, and after some failures
in a row the server is left alone for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from headwater.backends.valkey.breaker import Breaker
from headwater.backends.valkey.client import Client, client_of
from headwater.errors import UnsupportedUrl
from headwater.event_store.opening import url_to_show

T = TypeVar("T")
_LOG = logging.getLogger("headwater.valkey")
_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "redis": "redis", "rediss": "rediss", "unix": "unix"}
_TIMEOUT_SECONDS = 0.1
_CONNECTIONS = 16


async def open_valkey(url: str) -> ValkeyCache:
    """The shared cache of ``valkey://user:password@host:6379/0``, ``valkeys:`` (TLS), or ``unix:///path?db=0``.

    ``redis:`` and ``rediss:`` mean the same. Options: ``timeout=0.1`` (seconds for each call), ``connections=16``. The
    server need not be there yet. Raises ``UnsupportedUrl``, ``MissingExtra``.
    """
    scheme, _, rest = url.partition(":")
    address, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    timeout_seconds = _number(url, options, "timeout", _TIMEOUT_SECONDS)
    connections = _number(url, options, "connections", _CONNECTIONS)
    known = f"{_SCHEMES[scheme]}:{address}" + (f"?{urlencode(options)}" if options else "")
    try:
        client = client_of(known, timeout_seconds, int(connections))
    except (ValueError, TypeError) as error:
        raise _unsupported(url, str(error)) from error
    return ValkeyCache(client, timeout_seconds)


class ValkeyCache:
    """Keeps bytes in a server that may be down, slow, or empty at any time. See ``SharedCache``."""

    def __init__(self, client: Client, timeout_seconds: float, breaker: Breaker | None = None) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker or Breaker()

    async def get(self, key: bytes) -> bytes | None:
        """See ``SharedCache.get``."""
        if self._breaker.refuses():
            return None
        found = await self._tried(self._client.get(key))
        return found if isinstance(found, bytes) else None

    async def put(self, key: bytes, value: bytes, seconds: float) -> None:
        """See ``SharedCache.put``."""
        if not self._breaker.refuses():
            await self._tried(self._client.set(key, value, px=max(1, int(seconds * 1000))))

    async def close(self) -> None:
        """See ``SharedCache.close``."""
        try:
            await self._client.aclose()
        except Exception as error:  # noqa: BLE001  the libraries have trees of errors of their own; it is closed anyway
            _LOG.debug("the shared cache did not close well: %r", error)

    async def _tried(self, call: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                result = await call
        except Exception as error:  # noqa: BLE001  the libraries have trees of errors of their own; all mean a miss
            if self._breaker.failed():
                _LOG.warning("the shared cache does not answer and is left alone for a while: %r", error)
            return None
        self._breaker.succeeded()
        return result


def _number(url: str, options: dict[str, str], name: str, usual: float) -> float:
    text = options.pop(name, None)
    try:
        number = usual if text is None else float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise _unsupported(url, f"{name} is a number above 0, not {text!r}")
    return number


def _unsupported(url: str, why: str) -> UnsupportedUrl:
    shown = url_to_show(url)
    return UnsupportedUrl(
        f"{shown!r} is no shared cache: {why}", remedy="write valkey://host:6379/0 or unix:///path", url=shown
    )
