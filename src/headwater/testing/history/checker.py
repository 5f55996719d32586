"""Holds a history against the log that it left. Reads: the rules, from structure.py to followers.py.

The log shows its own order, so no order has to be searched for: every rule is a pass over the log or over the history.
Sources: the invariants that Jepsen's and the DCB reference's checks hold stores to.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.event_store.protocol import RecordedEvent
from headwater.testing.history import conditions, followers, outcomes, reads, structure
from headwater.testing.history.indexed import Log, Violation
from headwater.testing.history.journal import History


def check(history: History, log: Sequence[RecordedEvent], *, complete: bool = True) -> list[Violation]:
    """Every promise that this history shows to be broken; none if all were kept.

    ``log`` is all of the log, read after everybody had ended. With ``complete=False`` others may have appended, too,
    whose journals are not at hand.
    """
    found = Log(log, history.appends())
    return [
        *structure.gaps(found),
        *structure.duplicate_ids(found),
        *(structure.ghosts(found) if complete else ()),
        *structure.altered(found),
        *structure.torn(found),
        *structure.doubled_keys(found),
        *outcomes.lost(found),
        *outcomes.refused_but_stored(found),
        *outcomes.stored_twice(found),
        *outcomes.out_of_time(found),
        *conditions.broken(found),
        *conditions.spurious(found),
        *reads.incomplete(found, history),
        *reads.impossible_heads(found, history),
        *reads.stale(found, history),
        *reads.undelivered(found, history),
        *followers.misapplied(found, history),
        *followers.effects(found, history),
        *followers.foreign_rows(history),
    ]
