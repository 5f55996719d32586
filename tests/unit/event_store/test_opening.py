"""From a URL to an open event store."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from headwater.errors import MissingExtra, StoreClosed, UnsupportedUrl
from headwater.event_store import NewEvent, open_store
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.opening import schemes, url_to_show
from headwater.queries.shared import open_shared_cache


async def test_a_store_is_closed_at_the_end_of_its_block():
    """Afterwards it refuses to work."""
    async with open_store("memory:") as store:
        await store.append([NewEvent("A", b"")])
    with pytest.raises(StoreClosed):
        await store.head()


@pytest.mark.parametrize(
    "url", ["", "nowhere", "mongodb://x", "memory:x", "memory:?a=1", "sqlite:x.db", "sqlite://x.db"]
)
async def test_a_url_nobody_serves_is_refused(url):
    """The error names what can be opened, or how the URL is written."""
    with pytest.raises(UnsupportedUrl) as refusal:
        async with open_store(url):
            pass
    assert refusal.value.remedy


async def test_a_bare_path_comes_with_its_url():
    """Who gives a file instead of a URL is shown how it is written."""
    with pytest.raises(UnsupportedUrl, match="write sqlite:///desk.db"):
        async with open_store("desk.db"):
            pass


async def test_memory_without_its_colon_is_no_file():
    """What is meant is told, and not that a file could be called so; a shared cache is no file at all."""
    with pytest.raises(UnsupportedUrl, match="did you mean memory:") as refused:
        await open_store("memory").__aenter__()
    assert "sqlite:///memory" not in str(refused.value)
    with pytest.raises(UnsupportedUrl) as refused:
        await open_shared_cache("redis").__aenter__()
    assert "file" not in str(refused.value)


def test_the_built_in_schemes_are_known():
    """They need no installed metadata."""
    assert {"memory", "postgres", "postgresql", "sqlite"} <= set(schemes())


async def test_a_driver_that_is_not_installed_is_named(monkeypatch):
    """With the line that installs it."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingExtra) as absence:
        async with open_store("postgresql://host/db"):
            pass
    assert "headwater[postgres]" in absence.value.remedy


async def test_a_plug_in_adds_a_scheme(monkeypatch):
    """An entry point of the group ``headwater.backends`` is loaded when its scheme is asked for."""

    class Found:
        @staticmethod
        def load():
            async def opener(url, *, clock, migrate):
                assert url == "mine://somewhere"
                return MemoryEventStore(clock=clock)

            return opener

    def entry_points(*, group, name):
        return [Found()] if (group, name) == ("headwater.backends", "mine") else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    async with open_store("mine://somewhere") as store:
        assert await store.head() == 0


async def test_the_clock_gives_the_time_of_recording(tmp_path):
    """Every built-in backend takes it."""
    from datetime import UTC, datetime

    class Stopped:
        @staticmethod
        def now():
            return datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)

    for url in ("memory:", f"sqlite:///{tmp_path / 'log.db'}"):
        async with open_store(url, clock=Stopped()) as store:
            await store.append([NewEvent("A", b"")])
            assert (await store.read()).events[0].recorded_at == Stopped.now()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:secret@h:1/d?pool=4", "postgresql://ann@h:1/d?pool=4"),
        ("postgresql://h/d?read_url=postgresql%3A%2F%2Fann%3Asecret%40r%2Fd&pool=4", "postgresql://h/d?pool=4"),
        ("postgresql://h/d?read_url=postgresql://ann:secret@r/d", "postgresql://h/d"),
        ("postgresql://ann:secret?4@h/d", "postgresql://..."),
        ("postgresql://ann:se/cret@h/d", "postgresql://ann@h/d"),
        ("postgresql:///d?host=/tmp", "postgresql:///d?host=/tmp"),
        ("sqlite:////a:b@c/x.db?durability=relaxed", "sqlite:////a:b@c/x.db?durability=relaxed"),
        ("memory:", "memory:"),
    ],
)
def test_no_password_is_shown_wherever_it_stands(url, shown):
    """Neither where it ends too early, nor in the address of a replica."""
    assert url_to_show(url) == shown


@pytest.mark.parametrize("url", [None, Path("log.db"), 5], ids=repr)
async def test_a_url_that_is_no_text_is_refused(url):
    """By a typed error that says how to write it."""
    with pytest.raises(UnsupportedUrl) as caught:
        async with open_store(url):
            pass
    assert "sqlite:///" in caught.value.remedy
