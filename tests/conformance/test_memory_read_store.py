"""The memory reference passes the suite."""

from __future__ import annotations

from pathlib import Path

from headwater.testing.conformance import Capabilities, ReadStoreConformance


class TestMemoryReadStore(ReadStoreConformance):
    """Every promise that is not about disks or processes."""

    capabilities = Capabilities(name="memory", durable=False, multi_process=False, enforces_immutability=False)

    def url(self, directory: Path) -> str:
        return "memory:"
