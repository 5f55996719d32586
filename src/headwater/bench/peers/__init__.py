"""Peers: other libraries doing the same job, each as its own documentation shows. All are optional.

Reads: timing.py. A peer that is not installed is reported as absent, with the line that installs it. Peers are imported
by name at run time: none of them is a dependency, and their types are not ours to check.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

PEERS = {
    "eventsourcing": "eventsourcing",
    "eventsourcing.postgres": "eventsourcing[postgres] psycopg[binary]",
    "eventsource": "eventsource-py[sqlite]",
    "umadb": "umadb",
    "cqrs": "python-cqrs",
}
"""Module name to what has to be installed for it."""

_NEEDS = {"eventsource": "aiosqlite", "eventsourcing.postgres": "psycopg_pool"}


def installed(module: str) -> bool:
    """Whether a peer can be imported, with what it needs for its database."""
    names = (module.partition(".")[0], _NEEDS.get(module, module))
    return all(find_spec(name) is not None for name in names)


def absence(module: str) -> tuple[str, ...]:
    """Nothing if a peer is there, else one line that says how to get it."""
    return () if installed(module) else (f"{PEERS[module]} is not installed: pip install '{PEERS[module]}'",)


def versions() -> dict[str, str]:
    """The versions of the peers that are installed."""
    found: dict[str, str] = {}
    for distribution in PEERS.values():
        try:
            found[distribution.partition("[")[0]] = version(distribution.partition("[")[0])
        except PackageNotFoundError:
            continue
    return found
