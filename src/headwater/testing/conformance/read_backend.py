"""What a suite knows of the read store it tests. Reads: read_samples.py. Read next: row_keeping.py."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar

import pytest
import pytest_asyncio

from headwater.event_store.protocol import Capabilities
from headwater.read_store import ReadStore, open_read_store
from headwater.testing.conformance.read_samples import TABLES


class ReadBackend:
    """The base of every suite: gives its tests an empty, prepared ``store``, and its ``location`` to open it again."""

    capabilities: ClassVar[Capabilities]

    def url(self, directory: Path) -> str:
        """The URL of a read store in that empty directory; the same directory always gives the same store."""
        raise NotImplementedError

    def open(self, location: str) -> AbstractAsyncContextManager[ReadStore]:
        """The store of that URL. Override it for a store that has no URL scheme."""
        return open_read_store(location)

    @pytest.fixture
    def location(self, tmp_path: Path) -> str:
        """The URL of this test's read store."""
        return self.url(tmp_path)

    @pytest_asyncio.fixture
    async def store(self, location: str) -> AsyncGenerator[ReadStore, None]:
        """An empty store with its tables, closed after the test."""
        async with self.open(location) as store:
            await store.prepare(TABLES)
            yield store

    def needs(self, capability: str) -> None:
        """Skip the test if the backend does not have that capability."""
        if not getattr(self.capabilities, capability):
            pytest.skip(f"{self.capabilities.name} is not declared {capability}")
