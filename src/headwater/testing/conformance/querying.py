"""What a read finds. Source: the DCB specification, dcb.events. Reads: samples.py. Read next: appending.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headwater.errors import InvalidAppend
from headwater.event_store.protocol import ALL, AppendCondition, EventQuery, EventStore, NewEvent, QueryItem
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import event, filled, of, positions


class Querying(Backend):
    """Reads find what the query says, once, in order, with the head of the same snapshot."""

    async def test_the_worked_example_of_the_specification(self, store: EventStore) -> None:
        """Items are OR'ed, the types of an item OR'ed, its tags AND'ed."""
        matching = ("A", "C x y", "C x z q", "B")
        others = ("C x", "C z", "D x z", "D")
        await filled(store, *matching, *others)
        query = of(types=("A", "B")) | of("x", "y") | of("x", "z", types=("B", "C"))
        assert positions(await store.read(query)) == [1, 2, 3, 4]

    async def test_an_event_that_matches_two_items_comes_once(self, store: EventStore) -> None:
        """Overlapping items give no duplicates, also under a limit."""
        await filled(store, "A x y", "B x", "A y", "A x y", "C")
        query = of("x") | of("y") | of(types=("A",))
        assert positions(await store.read(query)) == [1, 2, 3, 4]
        assert positions(await store.read(query, limit=3)) == [1, 2, 3]
        assert positions(await store.read(query, limit=3, backwards=True)) == [4, 3, 2]

    async def test_an_item_with_types_only(self, store: EventStore) -> None:
        """Tags do not matter to an item that names none."""
        await filled(store, "A x", "B", "A", "C x")
        assert positions(await store.read(of(types=("A",)))) == [1, 3]
        assert positions(await store.read(of(types=("C", "B")))) == [2, 4]

    async def test_an_item_with_tags_only(self, store: EventStore) -> None:
        """An event has at least the tags of the item, in whatever order."""
        await filled(store, "A x", "B y x", "A", "C x y z", "C y")
        assert positions(await store.read(of("x"))) == [1, 2, 4]
        assert positions(await store.read(of("x", "y"))) == [2, 4]
        assert positions(await store.read(of("y", "x"))) == [2, 4]
        assert positions(await store.read(of("x", "y", "z", types=("A", "C")))) == [4]

    async def test_all_finds_every_event(self, store: EventStore) -> None:
        """Events without tags are found too."""
        await filled(store, "A x", "B", "C y")
        assert positions(await store.read(ALL)) == [1, 2, 3]
        assert positions(await store.read()) == [1, 2, 3]

    async def test_after_is_exclusive(self, store: EventStore) -> None:
        """The event at ``after`` is not read; a position beyond the head reads nothing."""
        await filled(store, "A x", "A x", "A x")
        assert positions(await store.read(of("x"), after=1)) == [2, 3]
        assert positions(await store.read(ALL, after=2)) == [3]
        assert positions(await store.read(of(types=("A",)), after=3)) == []
        assert positions(await store.read(ALL, after=99)) == []

    async def test_backwards_gives_the_newest_first(self, store: EventStore) -> None:
        """The last matching event is one cheap read away."""
        await filled(store, "A x", "B", "A x", "A")
        assert positions(await store.read(of("x"), backwards=True)) == [3, 1]
        assert positions(await store.read(of(types=("A",)), backwards=True, limit=1)) == [4]
        assert positions(await store.read(ALL, after=1, backwards=True, limit=2)) == [4, 3]

    async def test_a_limit_of_none_and_of_nothing(self, store: EventStore) -> None:
        """A limit of zero reads no event but still tells the head."""
        await filled(store, "A x", "A x")
        assert positions(await store.read(of("x"), limit=None)) == [1, 2]
        nothing = await store.read(of("x"), limit=0)
        assert (positions(nothing), nothing.head) == ([], 2)

    async def test_an_unknown_tag_or_type_finds_nothing(self, store: EventStore) -> None:
        """The slice is empty and tells the head."""
        await filled(store, "A x", "B y")
        for query in (of("z"), of(types=("Z",)), of("x", "z"), of("x", types=("Z",))):
            found = await store.read(query)
            assert (positions(found), found.head) == ([], 2)

    async def test_the_head_is_that_of_the_log(self, store: EventStore) -> None:
        """Whatever the query, the slice tells the last position of the log."""
        assert (await store.read(ALL)).head == await store.head() == 0
        await filled(store, "A x", "B y", "C")
        for query in (ALL, of("x"), of(types=("B",)), of("x") | of("y")):
            assert (await store.read(query, limit=1)).head == 3
        assert await store.head() == 3

    async def test_an_event_comes_back_as_it_was(self, store: EventStore) -> None:
        """Id, type, version, data, tags in their order and metadata are unchanged; the time is the commit's, in UTC."""
        new = NewEvent("Moved", b'{"to":"\xc3\xa9"}', ("box:1", "area:7"), version=3, metadata=b'{"actor":"ann"}')
        before = datetime.now(UTC) - timedelta(seconds=1)
        await store.append([new])
        (found,) = (await store.read(of("area:7"))).events
        assert (found.id, found.type, found.version, found.data) == (new.id, "Moved", 3, new.data)
        assert (found.tags, found.metadata) == (("box:1", "area:7"), new.metadata)
        assert before <= found.recorded_at <= datetime.now(UTC) + timedelta(seconds=1)
        assert found.recorded_at.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "tag",
        [
            "a:b:c",
            "a b",
            "ä:ß",
            "日本:東京",
            "'; DROP TABLE events; --",
            '"q"',
            "%",
            "a,b",
            "[1]",
            "\\",
            "\U0001f680",
            "5",
        ],
    )
    async def test_tags_are_opaque_text(self, store: EventStore, tag: str) -> None:
        """No character of a tag has a meaning, and a part of a tag is another tag."""
        await store.append([event("A", tag, "x")])
        await store.append([event("A", tag + "x"), event("A", tag[:-1] + "#")])
        found = await store.read(of(tag))
        assert positions(found) == [1]
        assert found.events[0].tags == (tag, "x")

    async def test_tags_and_types_are_case_sensitive(self, store: EventStore) -> None:
        """``x`` is not ``X``."""
        await filled(store, "A x", "a X")
        assert positions(await store.read(of("X"))) == [2]
        assert positions(await store.read(of(types=("A",)))) == [1]

    @pytest.mark.parametrize("size", [0, 1, 5_000, 1_000_000])
    async def test_data_is_opaque_bytes(self, store: EventStore, size: int) -> None:
        """Empty, binary and large payloads come back byte by byte."""
        data = (bytes(range(256)) * (size // 256 + 1))[:size]
        await store.append([event("A", "x", data=data)])
        assert (await store.read(of("x"))).events[0].data == data

    async def test_a_long_slice_is_complete_and_in_order(self, store: EventStore) -> None:
        """A read without a limit returns everything, however much it is."""
        await store.append([event("A" if number % 2 else "B", "x", f"n:{number}") for number in range(1_500)])
        assert positions(await store.read(of("x"))) == list(range(1, 1_501))
        assert positions(await store.read(ALL, backwards=True)) == list(range(1_500, 0, -1))
        assert positions(await store.read(of(types=("A",)), limit=700)) == list(range(2, 1_402, 2))
        assert (await store.read(of("x"), limit=256)).events[-1].position == 256

    async def test_many_types_and_many_items(self, store: EventStore) -> None:
        """A query may name a hundred types and hold hundreds of items."""
        await store.append([event(f"T{number}", f"n:{number}", "x") for number in range(120)])
        types = [f"T{number}" for number in range(10, 110)]
        assert positions(await store.read(of(types=types))) == list(range(11, 111))
        assert positions(await store.read(of("x", types=types), limit=3)) == [11, 12, 13]
        assert positions(await store.read(of("x", types=("T3", "T100")))) == [4, 101]
        items = EventQuery(tuple(QueryItem(tags=(f"n:{number}",)) for number in range(300)))
        assert positions(await store.read(items)) == list(range(1, 121))

    async def test_a_query_that_makes_no_sense_is_refused(self, store: EventStore) -> None:
        """An item without types and tags says nothing; what is no item neither."""
        items: Any
        for items in ((QueryItem(),), (QueryItem(tags=("",)),), (("A",),), 7):
            with pytest.raises(InvalidAppend):
                await store.read(EventQuery(items))

    @pytest.mark.parametrize("number", [-1, 1 << 63, "1", 1.5])
    async def test_a_number_that_is_no_position_is_refused(self, store: EventStore, number: Any) -> None:
        """To read from, to read up to, and in a condition, where it concerns that append alone."""
        with pytest.raises(InvalidAppend):
            await store.read(ALL, limit=number)
        with pytest.raises(InvalidAppend):
            await store.read(ALL, after=number)
        with pytest.raises(InvalidAppend):
            await anext(aiter(store.subscribe(after=number)))
        with pytest.raises(InvalidAppend):
            await store.append([event("T1", "t:1")], AppendCondition(of("t:1"), after=number))
