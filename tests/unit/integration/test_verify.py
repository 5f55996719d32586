from __future__ import annotations

from uuid import UUID

import pytest

from headwater.event_store.protocol import ALL, EventQuery, RecordedEvent, Slice
from headwater.integration.verify import verify_log


def event(position, *, tags=("order:1",), data=b"{}", metadata=b"{}", number=None):
    """A recorded event; what is not given is right."""
    raw_id = UUID(int=number or position).bytes
    return RecordedEvent(position, "OrderPlaced", 1, data, tags, metadata, raw_id, 1_700_000_000_000_000)


class Shelf:
    """As much of an event store as verification reads; ``lost`` are (tag, position) pairs the index does not have."""

    def __init__(self, *events, head=None, lost=()):
        self._events = events
        self._head = len(events) if head is None else head
        self._lost = lost

    async def head(self):
        return self._head

    async def read(self, query: EventQuery = ALL, *, after=0, limit=None, backwards=False):
        tags = [tag for item in query.items for tag in item.tags]
        found = [e for e in self._events if e.position > after and query.matches(e.type, e.tags)]
        indexed = [e for e in found if not any((tag, e.position) in self._lost for tag in tags)]
        return Slice(indexed[:limit], self._head)


def failed(outcome):
    """The faults of the checks that did not pass."""
    return {check.name: check.faults for check in outcome.checks if not check.passed}


async def test_a_whole_log_passes_with_its_figures():
    """Nothing is found in a log that is whole, and its size is told."""
    outcome = await verify_log(Shelf(event(1), event(2, tags=("order:1", "customer:7")), event(3, tags=())))
    assert outcome.passed
    assert outcome.head == 3
    assert outcome.figures == {"events": 3, "types": 1, "tags": 2, "bytes": 6}


async def test_tags_of_one_name_are_asked_for_together():
    """A log of many orders takes few reads; which of the tags the index lost is told all the same."""
    events = [event(n, tags=(f"order:{n}", "shop:1")) for n in range(1, 1_001)]
    shelf = Shelf(*events, lost=[("order:17", 17)])
    asked = []

    async def read(query=ALL, **options):
        asked.append(query)
        return await Shelf.read(shelf, query, **options)

    shelf.read = read
    faults = failed(await verify_log(shelf))
    assert faults == {"the tag index is equal to the events' tags": ("order:17: 1 events carry it, the index finds 0",)}
    assert len(asked) < 20


async def test_a_backend_that_compared_its_index_is_asked_by_types():
    """It asks for much less where there are many types, and a lost entry is found all the same."""
    events = [event(n, tags=(f"order:{n % 3}",)) for n in range(1, 10)]
    shelf = Shelf(*events, lost=[("order:2", 5)])
    faults = failed(await verify_log(shelf, compared=True))
    assert faults == {"the tag index is equal to the events' tags": ("order:2: 3 events carry it, the index finds 2",)}


async def test_tags_of_a_name_that_an_event_has_twice_are_asked_for_one_by_one():
    """Or else the event that is found by one of them would hide that the other one is lost."""
    pair = event(1, tags=("account:1", "account:2"))
    faults = failed(await verify_log(Shelf(pair, event(2, tags=("account:3",)), lost=[("account:2", 1)])))
    assert faults == {
        "the tag index is equal to the events' tags": ("account:2: 1 events carry it, the index finds 0",)
    }


async def test_an_event_that_the_index_finds_by_a_tag_of_others():
    """It is told by its position, since nobody knows by which of the tags it was found."""

    class Confused(Shelf):
        async def read(self, query=ALL, **options):
            found = await super().read(query, **options)
            return found if not query.items else Slice([*found.events, event(3, tags=("order:9",))], found.head)

    faults = failed(await verify_log(Confused(event(1), event(2, tags=("order:2",)), event(3, tags=()))))
    (told,) = faults["the tag index is equal to the events' tags"]
    assert told == "3: the index finds it by one of 2 tags from order:1 on, which it does not carry"


async def test_an_empty_log_is_whole():
    """No events, no faults."""
    assert (await verify_log(Shelf())).passed


@pytest.mark.parametrize(
    ("shelf", "check", "fault"),
    [
        (Shelf(event(1), event(3), head=3), "positions are gapless", "3 follows 1"),
        (Shelf(event(1), head=2), "positions are gapless", "the last event is 1, the head is 2"),
        (Shelf(event(1, number=9), event(2, number=9)), "event ids are unique", "2: the id"),
        (Shelf(event(1, data=b"{")), "bodies are JSON", "1: Input data was truncated"),
        (Shelf(event(1, data=b'"\xff"')), "bodies are JSON", "1: "),
        (Shelf(event(1, metadata=b"")), "metadata is JSON", "1: "),
        (
            Shelf(event(1), event(2), lost=[("order:1", 2)]),
            "the tag index is equal to the events' tags",
            "order:1: 2 events carry it, the index finds 1",
        ),
    ],
)
async def test_each_kind_of_damage_is_found_and_named(shelf, check, fault):
    """Exactly the check of that damage fails, and says where."""
    found = failed(await verify_log(shelf))
    assert list(found) == [check]
    assert found[check][0].startswith(fault)


async def test_many_faults_are_counted_and_the_first_are_shown():
    """A thousand faults do not fill the screen."""
    outcome = await verify_log(Shelf(*(event(n, data=b"{") for n in range(1, 101))))
    bodies = next(check for check in outcome.checks if check.name == "bodies are JSON")
    assert (bodies.fault_count, len(bodies.faults)) == (100, 20)


async def test_events_that_come_meanwhile_do_not_disturb():
    """Only what stood in the log at the start is checked."""
    outcome = await verify_log(Shelf(event(1), event(2), event(3), head=2))
    assert outcome.passed
    assert outcome.figures["events"] == 2
