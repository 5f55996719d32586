"""Histories that break one promise each, made from good ones: whatever checks histories must find every one of them.

Read next: good_histories.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random
from typing import Any

from msgspec.structs import replace
from tests.campaigns.good_histories import Case

from headwater.event_store import ALL, EventQuery
from headwater.ids import uuid7
from headwater.testing.history import Answered, Applied, Delivered, Effect, Seen, SeenEvent, Sent, Shown


def lost_acknowledgement(case: Case, chance: Random) -> None:
    _, answer = chance.choice(case.stored())
    case.log = [event for event in case.log if not answer.first <= event.position <= answer.last]
    case.renumber()


def ghost_event(case: Case, chance: Random) -> None:
    case.append("account:0", told=False)


def altered_payload(case: Case, chance: Random) -> None:
    at = chance.randrange(len(case.log))
    case.log[at] = replace(case.log[at], data=b'{"by":"nobody"}')


def duplicate_event_id(case: Case, chance: Random) -> None:
    case.log.append(replace(chance.choice(case.log), position=len(case.log) + 1))


def position_gap(case: Case, chance: Random) -> None:
    at = chance.randrange(1, len(case.log))
    case.log[at:] = [replace(event, position=event.position + 1) for event in case.log[at:]]


def half_batch(case: Case, chance: Random) -> None:
    _, answer = chance.choice([pair for pair in case.stored() if pair[1].last > pair[1].first])
    del case.log[answer.last - 1]
    case.renumber()


def interleaved_batch(case: Case, chance: Random) -> None:
    batches = [answer.last for _, answer in case.stored() if answer.first < answer.last < len(case.log)]
    last = chance.choice(batches)
    case.log[last - 1 : last + 1] = [case.log[last], case.log[last - 1]]
    case.renumber()


def position_reused(case: Case, chance: Random) -> None:
    seen = chance.choice([seen for seen in case.of(Seen) if seen.events])
    before = replace(seen.events[-1], id=uuid7().hex)
    case.put(seen, events=(*seen.events[:-1], before))


def stale_expectation_accepted(case: Case, chance: Random) -> None:
    sent, _, last = chance.choice(_decided(case))
    case.put(sent, after=last - 1)


def spurious_conflict(case: Case, chance: Random) -> None:
    answer = chance.choice([answer for answer in case.of(Answered) if answer.outcome == "conflict"])
    sent = next(sent for sent in case.of(Sent) if sent.operation == answer.operation)
    case.put(sent, after=answer.first)


def double_effect_of_a_key(case: Case, chance: Random) -> None:
    event = chance.choice(case.log)
    case.append(*event.tags)


def real_time_inversion(case: Case, chance: Random) -> None:
    (early, _), (late, answer) = chance.choice(list(_neighbours(case)))
    case.put(late, at=early.at - 2)
    case.put(answer, at=early.at - 1)


def skipped_in_a_decision_read(case: Case, chance: Random) -> None:
    seen = chance.choice([seen for seen in case.of(Seen) if len(seen.events) > 1])
    left_out = chance.randrange(len(seen.events))
    case.put(seen, events=seen.events[:left_out] + seen.events[left_out + 1 :])


def condition_checked_on_a_replica(case: Case, chance: Random) -> None:
    sent, seen, last = chance.choice([found for found in _decided(case) if found[1] is not None])
    case.put(sent, after=last - 1)
    behind = tuple(event for event in seen.events if event.position < last)
    case.put(seen, head=last - 1, events=behind)


def write_skew(case: Case, chance: Random) -> None:
    head = len(case.log)
    case.append("left", fail_if=EventQuery.of(tags=("right",)), after=head)
    case.append("right", fail_if=EventQuery.of(tags=("left",)), after=head)


def checkpoint_ahead_of_the_model(case: Case, chance: Random) -> None:
    applied = chance.choice([applied for applied in case.of(Applied) if applied.events])
    case.put(applied, events=applied.events[:-1])


def zombie_owner_writes(case: Case, chance: Random) -> None:
    last = case.of(Applied)[-1]
    case.records.append(replace(last, at=last.at + 1, start=last.position, events=(), epoch=last.epoch - 1))


def redelivery_below_the_checkpoint(case: Case, chance: Random) -> None:
    applied = chance.choice([applied for applied in case.of(Applied) if applied.start])
    case.put(applied, events=(applied.start, *applied.events))


def effect_on_rebuild(case: Case, chance: Random) -> None:
    effect = chance.choice(case.of(Effect))
    case.records.append(replace(effect, key=f"{effect.key}-again", rebuilding=True))


def row_of_another_tenant(case: Case, chance: Random) -> None:
    case.put(case.of(Shown)[0], rows=("red", "blue"))


def acknowledged_elsewhere(case: Case, chance: Random) -> None:
    _, answer = chance.choice(case.stored())
    case.put(answer, first=answer.first + 1, last=answer.last + 1)


def refused_but_there(case: Case, chance: Random) -> None:
    _, answer = chance.choice(case.stored())
    case.put(answer, outcome="refused")


def both_were_first(case: Case, chance: Random) -> None:
    sent, answer = chance.choice(case.stored())
    case.records += [replace(sent, operation="again"), replace(answer, operation="again")]


def repeat_of_nothing(case: Case, chance: Random) -> None:
    _, answer = chance.choice(case.stored())
    case.put(answer, replayed=True)


def conflict_with_another_type(case: Case, chance: Random) -> None:
    answer = chance.choice([answer for answer in case.of(Answered) if answer.outcome == "conflict"])
    sent = next(sent for sent in case.of(Sent) if sent.operation == answer.operation)
    case.put(sent, fail_if=EventQuery.of(types=("Never",)))


def conflict_with_nothing(case: Case, chance: Random) -> None:
    answer = chance.choice([answer for answer in case.of(Answered) if answer.outcome == "conflict"])
    case.put(answer, first=len(case.log) + 5)


def conflict_with_what_came_later(case: Case, chance: Random) -> None:
    answer = chance.choice([answer for answer in case.of(Answered) if answer.outcome == "conflict"])
    sent = next(sent for sent in case.of(Sent) if sent.operation == answer.operation)
    case.put(sent, at=1, fail_if=ALL)
    case.put(answer, at=2, first=len(case.log))


def half_an_append_was_seen(case: Case, chance: Random) -> None:
    inside = {answer.first for _, answer in case.stored() if answer.last > answer.first}
    seen = case.of(Seen)[-1]
    head = chance.choice(sorted(inside))
    case.put(seen, head=head, events=tuple(event for event in seen.events if event.position <= head))


def read_before_it_was_written(case: Case, chance: Random) -> None:
    seen = case.of(Seen)[-1]
    case.put(seen, began=1, at=2)


def own_write_not_read(case: Case, chance: Random) -> None:
    case.records.append(Seen("r", case.records[-1].at + 1, case.records[-1].at + 2, ALL, 0))


def head_that_is_gone(case: Case, chance: Random) -> None:
    case.put(case.of(Seen)[-1], head=len(case.log) + 1)


def event_that_does_not_match(case: Case, chance: Random) -> None:
    seen = chance.choice([seen for seen in case.of(Seen) if seen.events])
    case.put(seen, events=(*seen.events, seen.events[-1]))


def subscription_that_skips(case: Case, chance: Random) -> None:
    slice_ = chance.choice([slice_ for slice_ in case.of(Delivered) if slice_.events])
    case.put(slice_, events=slice_.events[1:])


def subscription_that_goes_back(case: Case, chance: Random) -> None:
    slice_ = chance.choice([slice_ for slice_ in case.of(Delivered) if slice_.events])
    case.records.append(slice_)


def subscription_to_another_event(case: Case, chance: Random) -> None:
    slice_ = chance.choice([slice_ for slice_ in case.of(Delivered) if slice_.events])
    other = SeenEvent(slice_.events[-1].position, uuid7().hex, "")
    case.put(slice_, events=(*slice_.events[:-1], other))


def checkpoint_that_jumps(case: Case, chance: Random) -> None:
    applied = chance.choice([applied for applied in case.of(Applied)[1:] if applied.start])
    case.records.remove(applied)


def effect_done_twice(case: Case, chance: Random) -> None:
    case.records.append(chance.choice(case.of(Effect)))


def effect_of_no_event(case: Case, chance: Random) -> None:
    case.records.append(Effect("mail-x", 1, len(case.log) + 1))


def applied_what_does_not_match(case: Case, chance: Random) -> None:
    applied = chance.choice([applied for applied in case.of(Applied) if applied.events])
    case.put(applied, events=(*applied.events, applied.events[-1]))


def _decided(case: Case) -> list[tuple[Sent, Any, int]]:
    """Appends on condition, the read before each if there was one, and the last event that it had to see."""
    found: list[tuple[Sent, Any, int]] = []
    for sent, answer in case.stored():
        if sent.fail_if is not None:
            last = [e.position for e in case.log[: sent.after] if sent.fail_if.matches(e.type, e.tags)]
            read = [s for s in case.of(Seen) if (s.query, s.head) == (sent.fail_if, sent.after) and s.at < sent.at]
            if last and answer.first > sent.after:
                found.append((sent, read[-1] if read else None, last[-1]))
    return found


def _neighbours(case: Case) -> Iterable[tuple[tuple[Sent, Answered], tuple[Sent, Answered]]]:
    """Appends of which the second began when the first had ended."""
    stored = case.stored()
    return [(one, other) for one, other in pairwise(stored) if one[1].at < other[0].at]


THE_TWENTY: dict[Callable[[Case, Random], None], str] = {
    lost_acknowledgement: "lost",
    ghost_event: "ghost",
    altered_payload: "altered",
    duplicate_event_id: "duplicate-id",
    position_gap: "gap",
    half_batch: "torn",
    interleaved_batch: "torn",
    position_reused: "changed",
    stale_expectation_accepted: "condition",
    spurious_conflict: "spurious-conflict",
    double_effect_of_a_key: "doubled-key",
    real_time_inversion: "out-of-time",
    skipped_in_a_decision_read: "skipped",
    condition_checked_on_a_replica: "condition",
    write_skew: "condition",
    checkpoint_ahead_of_the_model: "checkpoint-ahead",
    zombie_owner_writes: "zombie",
    redelivery_below_the_checkpoint: "redelivered",
    effect_on_rebuild: "effect-on-rebuild",
    row_of_another_tenant: "tenant",
}
"""What a checker must find before it is trusted, and the rule that finds it."""

MORE: dict[Callable[[Case, Random], None], str] = {
    acknowledged_elsewhere: "moved",
    refused_but_there: "refused-but-stored",
    both_were_first: "stored-twice",
    repeat_of_nothing: "stored-twice",
    conflict_with_another_type: "spurious-conflict",
    conflict_with_nothing: "spurious-conflict",
    conflict_with_what_came_later: "spurious-conflict",
    half_an_append_was_seen: "torn-read",
    read_before_it_was_written: "from-the-future",
    own_write_not_read: "stale-read",
    head_that_is_gone: "lost",
    event_that_does_not_match: "surplus",
    subscription_that_skips: "skipped",
    subscription_that_goes_back: "redelivered",
    subscription_to_another_event: "changed",
    checkpoint_that_jumps: "checkpoint",
    effect_done_twice: "doubled-effect",
    effect_of_no_event: "effect-of-nothing",
    applied_what_does_not_match: "misapplied",
}
"""The other rules of this checker, each with what it finds."""
