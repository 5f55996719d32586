"""Rules of append conditions: they held where they were accepted, and not where they failed.

Reads: indexed.py. Read next: reads.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from headwater.testing.history.indexed import Log, Placed, Violation
from headwater.testing.history.records import Sent


def broken(log: Log) -> Iterator[Violation]:
    """Between a stored append and what its caller had seen stands nothing that its condition matches."""
    for each in log.appends:
        attempts = each.append.effective
        if not all(each.places) or not attempts:
            continue
        between = [_in_between(log, sent, each.places[0]) for sent in attempts]
        if all(between):
            place = between[0][0]
            detail = f"{each.name} was stored at {each.places[0]}, though its condition after {attempts[0].after} fails"
            yield Violation("condition", detail, place)


def spurious(log: Log) -> Iterator[Violation]:
    """A conflict names an event that does match, after what the caller had seen, and sent before the answer."""
    for each in log.appends:
        for sent, answer in each.append.attempts:
            if answer is None or answer.outcome != "conflict":
                continue
            event = log.at.get(answer.first)
            if event is None or sent.fail_if is None:
                why = "there is nothing"
            elif answer.first <= sent.after:
                why = f"its caller had seen up to {sent.after}"
            elif not sent.fail_if.matches(event.type, event.tags):
                why = "the event there does not match"
            elif _began(log.append_at.get(answer.first)) > answer.at:
                why = "the event there was sent later"
            else:
                continue
            yield Violation("spurious-conflict", f"{sent.operation} failed for {answer.first}: {why}", answer.first)


def _in_between(log: Log, sent: Sent, first: int) -> list[int]:
    return log.matching(sent.fail_if, sent.after, first - 1) if sent.fail_if is not None else []


def _began(append: Placed | None) -> int:
    return append.append.began if append is not None else 0
