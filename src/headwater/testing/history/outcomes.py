"""Rules between what callers were told and what the log has. Reads: indexed.py. Read next: conditions.py."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.testing.history.indexed import Log, Placed, Violation


def lost(log: Log) -> Iterator[Violation]:
    """What was acknowledged is in the log, where it was said to be."""
    for each in log.appends:
        for answer in each.append.stored:
            told = tuple(range(answer.first, answer.last + 1))
            if not all(each.places):
                yield Violation("lost", f"{each.name} was acknowledged and is not there", answer.first)
            elif told != each.places:
                yield Violation("moved", f"{each.name} was told {list(told)}, stands at {list(each.places)}", told[0])


def refused_but_stored(log: Log) -> Iterator[Violation]:
    """What every caller was told is not stored is not; an unknown outcome may be."""
    for each in log.appends:
        if each.is_stored and not each.append.effective and not each.append.stored:
            yield Violation("refused-but-stored", f"{each.name} was refused each time", max(each.places))


def stored_twice(log: Log) -> Iterator[Violation]:
    """One attempt stores the events; every other one is told that it repeats it."""
    for each in log.appends:
        fresh = sum(not answer.replayed for answer in each.append.stored)
        if fresh > 1:
            yield Violation("stored-twice", f"{each.name} was told {fresh} times that it is new", max(each.places))
        if not fresh and each.append.stored and not each.append.effective:
            yield Violation("stored-twice", f"{each.name} repeats what nobody can have stored", max(each.places))


def out_of_time(log: Log) -> Iterator[Violation]:
    """What ended before something else began stands before it (strict serialisability)."""
    latest: Placed | None = None
    for each in sorted((each for each in log.appends if all(each.places)), key=lambda each: each.places):
        ended = each.append.ended
        if latest is not None and ended is not None and ended < latest.append.began:
            yield Violation("out-of-time", f"{each.name} ended before {latest.name} began", each.places[0])
        if latest is None or each.append.began > latest.append.began:
            latest = each
