"""What applications test themselves with: ``from headwater.testing import scenario, strategies``.

* ``scenario``: given, when, then, for one aggregate or one projection; pure.
* ``test_runtime``: a whole application in memory with a clock in your hand; mostly used as ``app.test()``.
* ``strategies``: Hypothesis strategies from message types. Needs the extra ``testing``.
* ``history``: record what many writers and readers do to a store, and hold it against the log afterwards.
* ``conformance``: the suite that every event store passes, for authors of backends. Needs the extra ``testing``.

Names are loaded when they are first used. Read next: scenarios.py.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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
_MODULES = ("conformance", "history", "strategies")


def __getattr__(name: str) -> Any:
    """Load a name on first use, and keep it."""
    if name in _MODULES:
        value: Any = importlib.import_module(f"headwater.testing.{name}")
    elif name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
