"""What a suite knows of the backend it tests. Read next: samples.py, then querying.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar

import pytest
import pytest_asyncio

from headwater.event_store import open_store
from headwater.event_store.protocol import Capabilities, EventStore

__all__ = ["Backend", "Capabilities"]


class Backend:
    """The base of every suite: gives its tests an empty ``store``, and its ``location`` to open it again."""

    capabilities: ClassVar[Capabilities]

    def url(self, directory: Path) -> str:
        """The URL of a log in that empty directory; the same directory always gives the same log."""
        raise NotImplementedError

    def open(self, location: str) -> AbstractAsyncContextManager[EventStore]:
        """The store of that URL. Override it for a store that has no URL scheme."""
        return open_store(location)

    def tamperings(self, location: str) -> Sequence[Callable[[], object]]:  # noqa: ARG002  for backends to override
        """Ways to change or delete stored events behind the store's back, each of which the backend must refuse."""
        return ()

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        """The URL of this test's log."""
        return self.url(tmp_path)

    @pytest_asyncio.fixture
    async def store(self, location: str) -> AsyncGenerator[EventStore, None]:
        """An empty store, closed after the test."""
        async with self.open(location) as store:
            yield store

    def needs(self, capability: str) -> None:
        """Skip the test if the backend does not have that capability."""
        if not getattr(self.capabilities, capability):
            pytest.skip(f"{self.capabilities.name} is not declared {capability}")
