"""The shared cache on a real Valkey: what it keeps, and what happens when it does not answer."""

from __future__ import annotations

import asyncio
import sys

import pytest

from headwater.backends.valkey.breaker import Breaker
from headwater.backends.valkey.cache import open_valkey
from headwater.errors import MissingExtra, UnsupportedUrl
from headwater.queries.shared import open_shared_cache


async def test_what_is_put_is_there_for_a_while(valkey):
    """Under its key, for so many seconds, then no more."""
    async with open_shared_cache(valkey.url) as cache:
        assert await cache.get(b"k") is None
        await cache.put(b"k", b"\x00v", 100)
        assert await cache.get(b"k") == b"\x00v"
        assert 90_000 < valkey.run("PTTL", "k") <= 100_000
        await cache.put(b"k", b"v", 0.001)
        while await cache.get(b"k") is not None:
            pass


async def test_no_url_is_no_cache():
    """An application has none unless it is told of one."""
    async with open_shared_cache(None) as cache:
        assert cache is None


async def test_a_server_that_is_gone_is_a_miss(local_valkey):
    """Nothing is raised, and it is left alone; when it is back it is used again, on the same cache."""
    async with open_shared_cache(local_valkey.url) as cache:
        await cache.put(b"k", b"v", 100)
        local_valkey.stop()
        for _ in range(10):
            assert await cache.get(b"k") is None
            await cache.put(b"k", b"v", 100)
        local_valkey.start()
        cache._breaker._closed_at = 0
        await cache.put(b"k", b"v", 100)
        assert await cache.get(b"k") == b"v"


async def test_a_server_that_does_not_answer_is_a_miss(local_valkey):
    """After a short time-out, and after three of them at once."""
    cache = await open_valkey(f"{local_valkey.url}?timeout=0.02")
    local_valkey.hold_up()
    try:
        assert [await cache.get(b"k") for _ in range(50)] == [None] * 50
        assert cache._breaker.refuses()
    finally:
        local_valkey.go_on()
        await cache.close()


async def test_many_may_use_it_at_once(valkey):
    """More than there are connections: some may miss, none may fail."""
    async with open_shared_cache(f"{valkey.url}?connections=2") as cache:
        await cache.put(b"k", b"v", 100)
        found = await asyncio.gather(*(cache.get(b"k") for _ in range(50)))
        assert set(found) <= {b"v", None}


def test_a_breaker_opens_for_longer_each_time():
    """Three failures open it; one may try when it has rested; a success closes it."""
    now = [0.0]
    breaker = Breaker(lambda: now[0])
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    assert breaker.refuses()
    now[0] += 0.5
    assert (breaker.refuses(), breaker.refuses()) == (False, True)
    breaker.failed()
    now[0] += 0.9
    assert breaker.refuses()
    now[0] += 0.2
    assert not breaker.refuses()
    breaker.succeeded()
    assert not breaker.refuses()


@pytest.mark.parametrize(
    "url",
    [
        "valkey://localhost?timeout=soon",
        "valkey://localhost?timeout=0",
        "valkey://localhost?connections=-1",
        "valkey://localhost:port",
        "memcached://localhost",
        "localhost",
    ],
)
async def test_a_url_that_is_none_is_refused(url):
    """With what to write instead, and without passwords."""
    with pytest.raises(UnsupportedUrl):
        async with open_shared_cache(url):
            pass


async def test_without_the_extra_the_error_names_it(monkeypatch):
    """The line that installs it."""
    for name in ("redis", "redis.asyncio", "valkey", "valkey.asyncio"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r"headwater\[valkey\]"):
        await open_valkey("valkey://localhost")
