from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import StoreCorrupt
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import NewEvent, RecordedEvent
from headwater.integration.chain import Chain, chain_of, content, slices

EVENT = RecordedEvent(1, "Opened", 1, b'{"a":1}', ("case:1", "by:ann"), b"{}", UUID(int=7).bytes, 1_700_000_000_000_000)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=4)
_CONTENTS = st.tuples(_TEXTS, st.lists(_TEXTS, max_size=3).map(tuple), st.binary(max_size=4), st.binary(max_size=4))


def test_the_hash_of_known_events_never_changes():
    """Hashes that people wrote down must hold with every later version."""
    two = msgspec.structs.replace(EVENT, position=2, raw_id=UUID(int=8).bytes, tags=())
    assert str(Chain()) == f"{'0' * 64}@0"
    assert str(Chain().and_then([EVENT])) == "4040059b4e4b8a3c80c8db850134c878397edde68f19068ea641ea6fd7fe77fb@1"
    assert str(Chain().and_then([EVENT, two])) == "6c5026c9704e0a47b025b902e97eeaebbc579a8916d9558af0394fad71f56a05@2"


@pytest.mark.parametrize(
    "change",
    [
        {"position": 2},
        {"type": "Closed"},
        {"version": 2},
        {"data": b'{"a":2}'},
        {"metadata": b"{ }"},
        {"tags": ("by:ann", "case:1")},
        {"tags": ("case:1",)},
        {"raw_id": UUID(int=9).bytes},
        {"recorded_us": 1_700_000_000_000_001},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_counts(change):
    """Whatever differs gives another hash, for this event and for all that follow."""
    other = msgspec.structs.replace(EVENT, **change)
    assert Chain().and_then([other]).hex != Chain().and_then([EVENT]).hex
    assert Chain().and_then([other, EVENT]).hex != Chain().and_then([EVENT, EVENT]).hex


def test_a_chain_is_the_same_however_it_is_sliced():
    """One event at a time, or all together."""
    events = [msgspec.structs.replace(EVENT, position=position) for position in range(1, 6)]
    assert Chain().and_then(events[:2]).and_then(()).and_then(events[2:]) == Chain().and_then(events)


def test_the_order_of_events_counts():
    """Two logs with the same events in another order are other logs."""
    other = msgspec.structs.replace(EVENT, raw_id=UUID(int=8).bytes)
    assert Chain().and_then([EVENT, other]) != Chain().and_then([other, EVENT])


@given(_CONTENTS, _CONTENTS)
def test_contents_have_one_form_each(one, other):
    """No two contents share a canonical form, wherever their parts begin and end."""
    assert (content(*one) == content(*other)) == (one == other)


async def test_the_chain_of_a_log_up_to_a_place():
    """By default up to its head; each prefix has a hash of its own."""
    store = MemoryEventStore()
    assert await chain_of(store) == Chain()
    await store.append([NewEvent("Opened", b"{}") for _ in range(5)])
    prefixes = [await chain_of(store, until=position) for position in range(6)]
    assert prefixes[5] == await chain_of(store) == Chain().and_then((await store.read()).events)
    assert all(one.digest != other.digest for one, other in pairwise(prefixes))


async def test_a_log_with_a_gap_has_no_chain():
    """It is refused with the place, rather than hashed over."""

    class Gapped(MemoryEventStore):
        async def read(self, *arguments, **options):
            found = await super().read(*arguments, **options)
            return msgspec.structs.replace(found, events=[event for event in found.events if event.position != 3])

    store = Gapped()
    await store.append([NewEvent("Opened", b"{}") for _ in range(5)])
    assert (await chain_of(store, until=2)).position == 2
    with pytest.raises(StoreCorrupt, match="no gapless events after 0"):
        await chain_of(store)
    with pytest.raises(StoreCorrupt):
        [events async for events in slices(store, until=9)]
