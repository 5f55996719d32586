"""A sequence that fails is set aside; the others go on, and it can follow later, in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest
from tests.accounts import (
    QUICK,
    Balance,
    Balances,
    Deposited,
    Moved,
    Opened,
    bank,
    changed,
    expected_balances,
)

from headwater.errors import NotParked, ParkedAlone, ProjectionFailed, UnknownMessage
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import NewEvent
from headwater.messages import Recorded
from headwater.read_models import Projection, on
from headwater.read_store.parking import Parked, sequence_of

BAD = 13


def poisoned(*amounts):
    """The balances, made by code that cannot take these amounts until it is mended."""

    class Poisoned(Balances):
        name = "Balances"
        bad = set(amounts)

        @on
        def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
            if recorded.event.amount in self.bad:
                raise ValueError(f"cannot take {recorded.event.amount}")
            return super().deposited(recorded, row)

        @classmethod
        def mend(cls, *mended):
            cls.bad.difference_update(mended or amounts)

    return Poisoned


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def rows(request, tmp_path):
    """A read store of each kind, by its URL."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/rows.db"


def deposits(*pairs):
    return [Deposited(account=account, amount=amount) for account, amount in pairs]


STORY = deposits(("b", 1), ("a", 2), ("b", BAD), ("a", 3), ("b", 4), ("c", 5), ("b", 6))


def without(events, *positions):
    """What the balances are when the events at these positions are left out, at unchanged positions of the others."""
    made: dict[str, Balance] = {}
    for position, event in enumerate(events, 1):
        if position not in positions:
            row = made.get(event.account) or Balance(account=event.account)
            made[event.account] = changed(row, event.amount, position)
    return made


async def test_a_poisoned_key_stands_still_and_a_thousand_others_go_on(rows):
    """Nobody who waits hangs; what is parked is seen; once the code is mended it follows, with what came after."""
    broken = poisoned(BAD)
    events = [
        *STORY,
        *deposits(*((f"k{number}", number + 100) for number in range(1_000))),
        *deposits(("b", 7), *((f"k{number}", 8) for number in range(1_000))),
    ]
    async with bank(broken, rows=rows) as desk:
        await desk.append(*events)
        await desk.caught_up()
        found = await desk.balances()
        assert found.pop("b") == without(STORY[:2])["b"]
        expected = expected_balances(events)
        assert found == {account: row for account, row in expected.items() if account != "b"}
        (parked,) = await desk.follower.parking.listed()
        assert (parked.shown, parked.position, parked.event, parked.attempts) == ("b", 3, "Deposited", QUICK.attempts)
        assert parked.error == f"ValueError: cannot take {BAD}"
        status = await desk.status("Balances")
        assert (status.parked, status.state, status.error) == (1, "live", None)
        broken.mend()
        assert await desk.follower.parking.retry("Balances", "b") is None
        assert await desk.balances() == expected
        assert await desk.follower.parking.listed() == []
        await desk.append(*deposits(("b", 9)))
        await desk.caught_up()
        assert await desk.balances() == expected_balances([*events, *deposits(("b", 9))])


async def test_a_retry_that_fails_says_where_it_stands(rows):
    """Where it stood, or further on if there is another fault; what came before that is applied."""
    events = [*STORY, *deposits(("b", 14), ("b", 15))]
    broken = poisoned(BAD, 14)
    async with bank(broken, rows=rows) as desk:
        await desk.append(*events)
        await desk.caught_up()
        again = await desk.follower.parking.retry("Balances", "b")
        assert (again.position, again.attempts) == (3, QUICK.attempts + 1)
        broken.mend(BAD)
        further = await desk.follower.parking.retry("Balances", "b")
        assert (further.position, further.error) == (8, "ValueError: cannot take 14")
        assert (await desk.balances())["b"] == expected_balances(events[:7])["b"]
        assert await desk.follower.parking.listed() == [further]
        broken.mend(14)
        assert await desk.follower.parking.retry("Balances", "b") is None
        assert await desk.balances() == expected_balances(events)


async def test_a_discarded_event_is_left_out_and_the_rest_follows(rows):
    """Who decided so, when and why is recorded, also when everything is built anew."""
    broken = poisoned(BAD)
    async with bank(broken, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        assert await desk.follower.parking.discard("Balances", "b", reason="typed twice", by="ann") is None
        assert await desk.balances() == without(STORY, 3)
        (record,) = await desk.follower.parking.discarded("Balances")
        assert (record.position, record.discarded_by, record.reason) == (3, "ann", "typed twice")
        assert (record.sequence, record.event, record.error) == ('"b"', "Deposited", f"ValueError: cannot take {BAD}")
        broken.mend()
        await desk.follower.rebuild("Balances")
        assert await desk.balances() == expected_balances(STORY)
        assert await desk.follower.parking.discarded() == [record]


async def test_a_rebuild_clears_what_is_parked(rows):
    """It begins with nothing, and parks again what still fails."""
    broken = poisoned(BAD)
    async with bank(broken, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        await desk.follower.rebuild("Balances")
        assert [each.position for each in await desk.follower.parking.listed()] == [3]
        broken.mend()
        await desk.follower.rebuild("Balances")
        assert await desk.follower.parking.listed() == []
        assert await desk.balances() == expected_balances(STORY)


async def test_while_a_sequence_catches_up_the_others_are_not_held_up(rows):
    """Events keep coming for it and for others; each is counted once, in order."""
    broken = poisoned(BAD)
    async with bank(broken, rows=rows) as desk:
        events = list(STORY)
        await desk.append(*events)
        await desk.caught_up()
        broken.mend()

        async def go_on():
            for number in range(60):
                more = deposits(("b", number + 20), (f"k{number % 7}", 1))
                events.extend(more)
                await desk.append(*more)

        async with asyncio.TaskGroup() as both:
            both.create_task(go_on())
            both.create_task(desk.follower.parking.retry("Balances", "b"))
        await desk.caught_up()
        assert await desk.balances() == expected_balances(events)
        assert await desk.follower.parking.listed() == []


async def test_too_many_parked_sequences_stop_the_projection():
    """What fails that often is wrong in itself, and must not go on unseen."""
    few = msgspec.structs.replace(QUICK, most_parked=3)
    async with bank(poisoned(BAD), retry=few) as desk:
        await desk.append(*deposits(*((f"b{number}", BAD) for number in range(5))))
        with pytest.raises(ProjectionFailed, match="at position 4 with 3 sequences parked: ValueError"):
            await desk.caught_up()
        status = await desk.status("Balances")
        assert (status.state, status.parked, status.position) == ("failed", 3, 3)


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("nul \0 and \ud800"), "ValueError: nul \\0 and \\ud800"),
        (Unspeakable(), "Unspeakable"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 5_000), f"ValueError: {'x' * 1_988}"),
    ],
    ids=["nul", "unspeakable", "empty", "long"],
)
async def test_whatever_an_event_fails_with_can_be_stored(rows, error, told, caplog):
    """An error that no table takes would stop everything that comes after it."""
    caplog.set_level("CRITICAL", logger="headwater.followers")  # nor can such a text be sent between test processes

    class Odd(Balances):
        name = "Balances"

        @on
        def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
            if recorded.event.amount == BAD:
                raise error
            return super().deposited(recorded, row)

    async with bank(Odd, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        (parked,) = await desk.follower.parking.listed()
        assert parked.error == told
        assert await desk.follower.parking.discard("Balances", "b", reason="no \0", by="\udc80") is None
        (record,) = await desk.follower.parking.discarded()
        assert (record.reason, record.discarded_by) == ("no \\0", "\\udc80")


@pytest.mark.parametrize(
    "key", [1 << 80, "\ud800", 1.5, object()], ids=["large", "not Unicode", "fraction", "no value at all"]
)
async def test_a_key_that_no_store_takes_parks_the_event_alone(rows, key, caplog):
    """There can be no such row, so that nothing else waits for it."""
    caplog.set_level("CRITICAL", logger="headwater.followers")  # as above
    if rows == "memory:":
        pytest.skip("memory takes whatever it is given")

    class Odd(Projection[Balance]):
        name = "Balances"

        @on(key=lambda event: key if event.amount == BAD else event.account)
        def deposited(self, event: Deposited, row: Balance | None) -> Balance:
            return Balance(account=key if event.amount == BAD else event.account, amount=event.amount)

    async with bank(Odd, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        assert {name: row.amount for name, row in (await desk.balances()).items() if name in "abc"} == {
            "a": 3,
            "b": 6,
            "c": 5,
        }


async def test_with_something_parked_patience_is_short():
    """A fault of the code that many events meet must not hold up the others each time anew."""
    async with bank(poisoned(BAD)) as desk:
        await desk.append(*deposits(*((f"b{number}", BAD) for number in range(4)), ("a", 1)))
        await desk.caught_up()
        assert [each.attempts for each in await desk.follower.parking.listed()] == [QUICK.attempts, 2, 2, 2]
        assert list(await desk.balances()) == ["a"]


async def test_an_event_that_cannot_be_decoded_parks_the_row_it_names(rows):
    """Its key is read from the JSON, so that only that row stands still."""
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*deposits(("a", 1), ("b", 2)))
        await desk.events.append([NewEvent("Opened", b'{"account": "b", "owner": 7}')])
        await desk.append(*deposits(("a", 3), ("b", 4)))
        await desk.caught_up()
        (parked,) = await desk.follower.parking.listed()
        assert (parked.shown, parked.event, parked.error.partition(":")[0]) == ("b", "Opened", "UndecodableEvent")
        expected = expected_balances([*deposits(("a", 1), ("b", 2)), Opened(account="x"), *deposits(("a", 3))])
        expected.pop("x")
        assert await desk.balances() == expected
        assert await desk.follower.parking.discard("Balances", "b", reason="never valid") is None
        assert (await desk.balances())["b"].amount == 6


@pytest.mark.parametrize("data", [b'{"account": 7}', b'{"owner": "z"}', b"[]", b"7", b"{"])
async def test_an_event_that_names_no_row_is_parked_alone(rows, data):
    """Everything after it is applied."""
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*deposits(("a", 1)))
        await desk.events.append([NewEvent("Opened", data)])
        await desk.append(*deposits(("a", 3)))
        await desk.caught_up()
        (parked,) = await desk.follower.parking.listed()
        assert (parked.shown, parked.is_alone) == ("@2", True)
        assert (await desk.balances())["a"].amount == 4
        again = await desk.follower.parking.retry("Balances", "@2")
        assert (again.position, again.attempts) == (2, QUICK.attempts + 1)
        assert await desk.follower.parking.discard("Balances", "@2", reason="no event at all") is None
        assert await desk.follower.parking.listed() == []


def lost(*accounts):
    """Balances by code that does not know the key of some accounts until it is mended."""

    class Lost(Projection[Balance]):
        name = "Balances"
        unknown = set(accounts)

        @on(key=lambda recorded: Lost.key_of(recorded.event.account))
        def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
            row = row or Balance(account=recorded.event.account)
            return changed(row, recorded.event.amount, recorded.position)

        @classmethod
        def key_of(cls, account):
            if account in cls.unknown:
                raise KeyError(account)
            return account

    return Lost


async def test_an_event_parked_alone_is_applied_later_if_nothing_came_after_it(rows):
    """Then its turn is still the last one of its row."""
    broken = lost("b")
    async with bank(broken, rows=rows) as desk:
        events = deposits(("a", 1), ("b", 2), ("a", 3))
        await desk.append(*events)
        await desk.caught_up()
        broken.unknown.clear()
        assert await desk.follower.parking.retry("Balances", "@2") is None
        assert await desk.balances() == expected_balances(events)


async def test_an_event_parked_alone_is_not_applied_out_of_turn(rows):
    """Its row has gone on: only the whole log gives right rows, and the error says so."""
    broken = lost("b")
    async with bank(broken, rows=rows) as desk:
        await desk.append(*deposits(("a", 1), ("b", 2)))
        await desk.caught_up()
        broken.unknown.clear()
        await desk.append(*deposits(("b", 3)))
        await desk.caught_up()
        with pytest.raises(ParkedAlone, match="position 2"):
            await desk.follower.parking.retry("Balances", "@2")
        assert [each.sequence for each in await desk.follower.parking.listed()] == ["@2"]
        await desk.follower.rebuild("Balances")
        assert await desk.balances() == expected_balances(deposits(("a", 1), ("b", 2), ("b", 3)))


async def test_an_event_of_several_rows_is_parked_for_the_one_that_fails():
    """The other row gets its part."""

    class Halved(Balances):
        name = "Balances"

        @on(key=lambda recorded: [recorded.event.source, recorded.event.target])
        def moved(self, recorded: Recorded[Moved], row: Balance | None) -> Balance | None:
            if row is not None and row.account == "a":
                raise ValueError("not a")
            return super().moved(recorded, row)

    async with bank(Halved) as desk:
        await desk.append(*deposits(("a", 10), ("b", 20)), Moved(source="a", target="b", amount=5))
        await desk.caught_up()
        assert {name: row.amount for name, row in (await desk.balances()).items()} == {"a": 10, "b": 25}
        assert [each.shown for each in await desk.follower.parking.listed()] == ["a"]


async def test_workers_that_share_a_projection_park_each_in_their_own_slices(tmp_path):
    """A third process lets both go on, while the two keep working."""
    events, rows = MemoryEventStore(), f"sqlite:///{tmp_path}/rows.db"
    broken = poisoned(BAD)
    async with bank(broken, events=events, rows=rows) as one, bank(broken, events=events, rows=rows) as two:
        accounts = [f"k{number}" for number in range(40)]
        story = deposits(*((name, 1) for name in accounts), *((name, BAD) for name in accounts[:6]))
        story += deposits(*((name, 2) for name in accounts))
        await one.append(*story)
        await asyncio.gather(one.caught_up(), two.caught_up())
        assert {each.shown for each in await two.follower.parking.listed("Balances")} == set(accounts[:6])
        broken.mend()
        async with bank(broken, events=events, rows=rows, follow=False) as third:
            for account in accounts[:6]:
                assert await third.follower.parking.retry("Balances", account) is None
        story += deposits(*((name, 3) for name in accounts))
        await one.append(*story[-len(accounts) :])
        await asyncio.gather(one.caught_up(), two.caught_up())
        assert await one.balances() == expected_balances(story)


async def test_what_is_not_parked_cannot_go_on(rows):
    """Nor can a projection that nobody has; the error names what there is."""
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*deposits(("a", 1)))
        await desk.caught_up()
        with pytest.raises(NotParked, match="no parked sequence b"):
            await desk.follower.parking.retry("Balances", "b")
        with pytest.raises(UnknownMessage, match="did you mean Balances"):
            await desk.follower.parking.discard("Balance", "b", reason="x")
        with pytest.raises(UnknownMessage, match="did you mean Balances"):
            await desk.follower.parking.listed("Balance")


@pytest.mark.parametrize("key", ["a", "@3", "", 7, ("a", 1), b"\x00\xff", (b"x", "ü")])
def test_the_name_of_a_sequence_gives_its_key_back(key):
    """Whatever the key of a row may be; none is taken for an event alone."""
    parked = Parked(
        projection="P",
        version=1,
        sequence=sequence_of(key),
        position=1,
        event="E",
        error="",
        attempts=1,
        parked_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert (parked.key, parked.is_alone) == (key, False)
