"""The suite of the event store's contract, whole. Reads: all modules beside it.

Reading order: capabilities, samples, querying, appending, conditions, repeating, subscribing, lifecycle, sharing,
copying, scripts, stateful.
"""

from __future__ import annotations

import itertools
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from headwater.event_store.protocol import EventStore
from headwater.testing.conformance.appending import Appending
from headwater.testing.conformance.conditions import Conditions
from headwater.testing.conformance.copying import Copying
from headwater.testing.conformance.lifecycle import Lifecycle
from headwater.testing.conformance.querying import Querying
from headwater.testing.conformance.repeating import Repeating
from headwater.testing.conformance.scripts import Scripts
from headwater.testing.conformance.sharing import Sharing
from headwater.testing.conformance.stateful import EventStoreMachine
from headwater.testing.conformance.subscribing import Subscribing


class EventStoreConformance(
    Querying, Appending, Conditions, Repeating, Subscribing, Lifecycle, Sharing, Copying, Scripts
):
    """Every promise of ``EventStore``. A backend's test class says its ``capabilities`` and its ``url``."""

    def test_it_behaves_like_its_model(self, tmp_path: Path) -> None:
        """Any sequence of verbs gives what a list in memory gives."""
        directories = (tmp_path / str(number) for number in itertools.count())
        suite = self

        class Machine(EventStoreMachine):
            capabilities = suite.capabilities

            def __init__(self) -> None:
                directory = next(directories)
                directory.mkdir()
                self.location = suite.url(directory)
                super().__init__()

            def open(self) -> AbstractAsyncContextManager[EventStore]:
                return suite.open(self.location)

        tries = max(20, settings().max_examples // 6)  # a profile that tries harder tries harder here too
        quiet = (HealthCheck.too_slow, HealthCheck.data_too_large)
        chosen = settings(deadline=None, stateful_step_count=15, max_examples=tries, suppress_health_check=quiet)
        run_state_machine_as_test(Machine, settings=chosen)
