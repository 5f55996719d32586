"""Rules of reads and subscriptions: everybody saw a prefix of the log, completely. Reads: indexed.py.

A decision is only as good as the read before it: if that left something out, a condition that holds proves nothing.
Read next: followers.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headwater.testing.history.indexed import Log, Violation, unlike
from headwater.testing.history.journal import History
from headwater.testing.history.records import Delivered, Seen


def incomplete(log: Log, history: History) -> Iterator[Violation]:
    """A read brought exactly what matches in the log up to the head it told, unchanged to this day."""
    for seen in history.of(Seen):
        expected = log.chosen(seen.query, seen.after, seen.head, seen.limit, backwards=seen.backwards)
        yield from unlike(log, seen.events, expected, f"a read of {seen.reader} up to {seen.head}")


def impossible_heads(log: Log, history: History) -> Iterator[Violation]:
    """A head is the end of an append that was sent before the read ended."""
    for seen in history.of(Seen):
        made = log.append_at.get(seen.head)
        if seen.head > log.head:
            yield Violation("lost", f"{seen.reader} saw a head of {seen.head}, now the log ends at {log.head}")
        elif seen.head in log.inside:
            yield Violation("torn-read", f"{seen.reader} saw half of an append", seen.head)
        elif made is not None and made.append.began > seen.at:
            yield Violation("from-the-future", f"{seen.reader} saw {made.name} before it was sent", seen.head)


def stale(log: Log, history: History) -> Iterator[Violation]:
    """A read sees all that was acknowledged, and all that anybody had seen, before it began."""
    known = [(ended, each.places[-1]) for each in log.appends if (ended := each.append.ended) and all(each.places)]
    reads = history.of(Seen)
    known += [(seen.at, seen.head) for seen in reads]
    known.sort()
    reached = place = 0
    for seen in sorted(reads, key=lambda seen: seen.began):
        while place < len(known) and known[place][0] < seen.began:
            reached = max(reached, known[place][1])
            place += 1
        if seen.head < reached:
            yield Violation("stale-read", f"{seen.reader} was told head {seen.head} when it was {reached}", reached)


def undelivered(log: Log, history: History) -> Iterator[Violation]:
    """A subscription brings every matching event once, in order, slice after slice."""
    slices: dict[str, list[Delivered]] = {}
    for delivered in history.of(Delivered):
        slices.setdefault(delivered.subscription, []).append(delivered)
    for name, each in slices.items():
        yield from _undelivered(log, name, each)


def _undelivered(log: Log, name: str, slices: Sequence[Delivered]) -> Iterator[Violation]:
    reached = slices[0].after
    for delivered in slices:
        again = [event for event in delivered.events if event.position <= reached]
        if again or delivered.head <= reached:
            yield Violation("redelivered", f"{name} went back from {reached} to {delivered.head}", delivered.head)
        else:
            expected = log.matching(delivered.query, reached, delivered.head)
            yield from unlike(log, delivered.events, expected, f"{name} from {reached} to {delivered.head}")
        reached = max(reached, delivered.head)
