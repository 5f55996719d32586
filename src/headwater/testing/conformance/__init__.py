"""The suites that every backend passes. Needs pytest, pytest-asyncio and Hypothesis (the extra ``testing``).

A backend's test module is one class::

    class TestSqliteEventStore(EventStoreConformance):
        capabilities = Capabilities(name="sqlite", durable=True, multi_process=True, enforces_immutability=True)

        def url(self, directory: Path) -> str:
            return f"sqlite:///{directory / 'log.db'}"

What a backend cannot do is declared in its capabilities, and the tests of it are skipped by that name. The modules are
read in the order of ``event_store.py``.
"""

from __future__ import annotations

from importlib.util import find_spec

from headwater.errors import MissingExtra

for _package in ("pytest", "pytest_asyncio", "hypothesis"):
    if find_spec(_package) is None:
        raise MissingExtra("testing", _package, "the conformance suite")

import pytest  # noqa: E402  after the check that it is there

_SUITES = (
    "appending",
    "conditions",
    "copying",
    "event_store",
    "lifecycle",
    "querying",
    "read_samples",
    "repeating",
    "row_finding",
    "row_joining",
    "row_keeping",
    "row_listing",
    "row_paging",
    "row_searching",
    "scripts",
    "sharing",
    "stateful",
    "subscribing",
)
pytest.register_assert_rewrite(*(f"{__name__}.{suite}" for suite in _SUITES))

from headwater.testing.conformance.capabilities import Capabilities  # noqa: E402  asserts are rewritten on import
from headwater.testing.conformance.event_store import EventStoreConformance  # noqa: E402  as above
from headwater.testing.conformance.read_store import ReadStoreConformance  # noqa: E402  as above

__all__ = ["Capabilities", "EventStoreConformance", "ReadStoreConformance"]
