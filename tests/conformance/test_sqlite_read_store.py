"""The SQLite read store passes the suite."""

from __future__ import annotations

from pathlib import Path

from headwater.testing.conformance import Capabilities, ReadStoreConformance


class TestSqliteReadStore(ReadStoreConformance):
    """Every promise, with nothing left out."""

    capabilities = Capabilities(name="sqlite", durable=True, multi_process=True, enforces_immutability=False)

    def url(self, directory: Path) -> str:
        return f"sqlite:///{directory / 'log.read.db'}"
