"""Rules of the log alone: places, ids, contents, whole batches. Reads: indexed.py. Read next: outcomes.py."""

from __future__ import annotations

from collections.abc import Iterator

from headwater.testing.history.indexed import Log, Placed, Violation

_KEY = "idempotency:"


def gaps(log: Log) -> Iterator[Violation]:
    """Positions are gapless from 1 and rise."""
    last = 0
    for event in log.events:
        if event.position != last + 1:
            yield Violation("gap", f"{event.position} follows {last}", event.position)
        last = event.position


def duplicate_ids(log: Log) -> Iterator[Violation]:
    """An event id stands in the log once."""
    known: dict[bytes, int] = {}
    for event in log.events:
        if event.raw_id in known:
            yield Violation("duplicate-id", f"{event.id} stands at {known[event.raw_id]} already", event.position)
        known[event.raw_id] = event.position


def ghosts(log: Log) -> Iterator[Violation]:
    """Every event was sent by somebody."""
    known = {event.id for each in log.appends for event in each.append.events}
    for position, seen in log.seen.items():
        if seen.id not in known:
            yield Violation("ghost", f"nobody sent {seen.id}", position)


def altered(log: Log) -> Iterator[Violation]:
    """An event says what it said when it was sent."""
    for each in log.appends:
        for event, place in zip(each.append.events, each.places, strict=True):
            if place and log.seen[place].digest != event.digest:
                yield Violation("altered", f"an event of {each.name} is not as it was sent", place)


def torn(log: Log) -> Iterator[Violation]:
    """An append is there completely, in its order, without others in between; or not at all."""
    for each in log.appends:
        first = each.places[0]
        if each.is_stored and each.places != tuple(range(first, first + len(each.places))):
            yield Violation("torn", f"{each.name} stands at {list(each.places)}", max(each.places))


def doubled_keys(log: Log) -> Iterator[Violation]:
    """An idempotency key has one effect: the events of one append."""
    owner: dict[str, Placed] = {}
    for position, each in sorted(log.append_at.items()):
        for tag in log.at[position].tags:
            if tag.startswith(_KEY) and owner.setdefault(tag, each) is not each:
                yield Violation("doubled-key", f"{tag} was used by {owner[tag].name} and {each.name}", position)
