"""What applications test themselves with: ``from headwater.testing import scenario, strategies``.

* ``scenario``: given, when, then, for one aggregate or one projection; pure.
* ``test_runtime``: a whole application in memory with a clock in your hand; mostly used as ``app.test()``.
* ``strategies``: Hypothesis strategies from message types. Needs the extra ``testing``.
* ``history``: record what many writers and readers do to a store, and hold it against the log afterwards.
* ``conformance``: the suite that every event store passes, for authors of backends. Needs the extra ``testing``.

Names are loaded when they are first used. Read next: scenarios.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.lazy import lazily

if TYPE_CHECKING:  # what a type checker sees; at run time the table below does the same, lazily
    from headwater.testing import conformance, history, strategies
    from headwater.testing.app import TestRuntime, test_runtime
    from headwater.testing.clock import ControlledClock
    from headwater.testing.facts import Happened
    from headwater.testing.rows import RowScenario
    from headwater.testing.scenarios import Outcome, Scenario, scenario

__all__ = [
    "ControlledClock",
    "Happened",
    "Outcome",
    "RowScenario",
    "Scenario",
    "TestRuntime",
    "conformance",
    "history",
    "scenario",
    "strategies",
    "test_runtime",
]

_MODULE_OF = {
    "ControlledClock": "headwater.testing.clock",
    "Happened": "headwater.testing.facts",
    "Outcome": "headwater.testing.scenarios",
    "RowScenario": "headwater.testing.rows",
    "Scenario": "headwater.testing.scenarios",
    "TestRuntime": "headwater.testing.app",
    "scenario": "headwater.testing.scenarios",
    "test_runtime": "headwater.testing.app",
}

__getattr__ = lazily(__name__, ("conformance", "history", "strategies"), _MODULE_OF)


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
