"""Projections of several models, and reports, when an event fails: what is left out, and what goes on."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import msgspec
import pytest
from tests.accounts import Deposited, Moved, Opened, bank

from headwater.errors import ParkedAlone, ProjectionFailed
from headwater.figure_marks import Count, Sum
from headwater.messages import Recorded
from headwater.read_models import AggregateProjection, Key, Projection, ReadModel, on
from headwater.read_store.memory import MemoryReadStore
from headwater.row_handlers import Lookup

BAD = 13


class Account(ReadModel):
    account: Annotated[str, Key()]
    trace: str = ""


class Payer(ReadModel):
    source: Annotated[str, Key()]
    times: int = 0


class Total(ReadModel):
    account: Annotated[str, Key()]
    times: Annotated[int, Count()]
    amount: Annotated[int, Sum()]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def rows(request, tmp_path):
    """A read store of each kind, by its URL."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/rows.db"


@pytest.fixture
def broken():
    """Whether the code cannot take thirteen."""
    return {"is": True}


def ledger(broken):
    """Accounts that go through every event about them, in order, and who pays how often."""

    class Ledger(Projection[Account | Payer]):
        @on
        def deposited(self, recorded: Recorded[Deposited], row: Account | None) -> Account:
            if recorded.event.amount == BAD and broken["is"]:
                raise ValueError("not thirteen")
            return traced(row or Account(account=recorded.event.account), recorded)

        @on(key=lambda recorded: [recorded.event.source, recorded.event.target])
        def moved(self, recorded: Recorded[Moved], row: Account | None) -> Account | None:
            return row and traced(row, recorded)

        @on
        def paid(self, event: Moved, row: Payer | None) -> Payer:
            return Payer(source=event.source, times=(row.times if row else 0) + 1)

    return Ledger


def traced(row, recorded):
    return msgspec.structs.replace(row, trace=f"{row.trace}/{recorded.position}")


def expected(story):
    """The trivial reference."""
    accounts, payers = {}, {}
    for position, event in enumerate(story, 1):
        names = [event.account] if isinstance(event, Deposited) else {event.source: 0, event.target: 0}
        for name in names:
            if isinstance(event, Deposited) or name in accounts:
                accounts[name] = f"{accounts.get(name, '')}/{position}"
        if isinstance(event, Moved):
            payers[event.source] = payers.get(event.source, 0) + 1
    return accounts, payers


async def found(desk):
    accounts = {row.account: row.trace async for row in desk.rows.reader(Account).stream()}
    return accounts, {row.source: row.times async for row in desk.rows.reader(Payer).stream()}


NAMES = [f"k{number}" for number in range(12)]
STORY = [
    *(Deposited(account=name, amount=1) for name in NAMES),
    *(Deposited(account=name, amount=BAD) for name in NAMES[:3]),
    *(Moved(source=one, target=other, amount=1) for one, other in zip(NAMES, NAMES[1:] + NAMES[:1], strict=True)),
]


async def test_the_row_that_fails_is_parked_and_all_others_go_on(rows, broken):
    """Also those of other models that the same events are about; mended, it goes through everything in order."""
    async with bank(ledger(broken), rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        assert {each.shown for each in await desk.follower.parking.listed()} == set(NAMES[:3])
        accounts, payers = await found(desk)
        right, paid = expected(STORY)
        assert [accounts[name] for name in NAMES[3:]] == [right[name] for name in NAMES[3:]]
        assert [accounts[name] for name in NAMES[:3]] == ["/1", "/2", "/3"]
        assert [payers.get(name) for name in NAMES] == [None] * 3 + [paid[name] for name in NAMES[3:]]
        broken["is"] = False
        for name in NAMES[:3]:
            assert await desk.follower.parking.retry("Ledger", name) is None
        await desk.append(*STORY)
        await desk.caught_up()
        assert await found(desk) == expected(STORY * 2)


async def test_workers_that_share_such_a_projection_park_each_their_own(broken):
    """And what is discarded is left out once."""
    rows = MemoryReadStore()
    async with bank(ledger(broken), rows=rows) as one, bank(ledger(broken), events=one.events, rows=rows) as two:
        await one.append(*STORY)
        await asyncio.gather(one.caught_up(), two.caught_up())
        assert {each.shown for each in await two.follower.parking.listed()} == set(NAMES[:3])
        for name in NAMES[:3]:
            assert await two.follower.parking.discard("Ledger", name, reason="unlucky") is None
        await asyncio.gather(one.caught_up(), two.caught_up())
        accounts, payers = await found(one)
        assert payers == expected(STORY)[1]
        left_out = {name: f"/{13 + number}" for number, name in enumerate(NAMES[:3])}
        right = expected(STORY)[0]
        assert accounts == {name: right[name].replace(left_out.get(name, "-"), "") for name in NAMES}


async def test_a_report_goes_on_without_an_event_that_fails(rows, broken):
    """Nothing builds on what it would have added; a rebuild adds it in its turn."""

    class Totals(AggregateProjection[Total]):
        @on
        def deposited(self, event: Deposited) -> Total:
            if event.amount == BAD and broken["is"]:
                raise ValueError("not thirteen")
            return Total(account=event.account, times=1, amount=event.amount)

    async def totals(desk):
        return {row.account: (row.times, row.amount) async for row in desk.rows.reader(Total).stream()}

    story = [Deposited(account="a", amount=amount) for amount in (1, BAD, 2)]
    async with bank(Totals, rows=rows) as desk:
        await desk.append(*story)
        await desk.caught_up()
        assert await totals(desk) == {"a": (2, 3)}
        assert [each.shown for each in await desk.follower.parking.listed()] == ["@2"]
        with pytest.raises(ParkedAlone):
            await desk.follower.parking.retry("Totals", "@2")
        broken["is"] = False
        await desk.follower.rebuild("Totals")
        assert await totals(desk) == {"a": (3, 16)}
        assert await desk.follower.parking.listed() == []


async def test_a_row_goes_on_past_events_that_were_left_out_for_all(rows, broken):
    """One is parked alone, another was discarded: neither is tried again for a row that is mended."""

    class Payments(Projection[Account | Payer]):
        @on
        def deposited(self, recorded: Recorded[Deposited], row: Account | None) -> Account:
            if recorded.event.amount == BAD and broken["is"]:
                raise ValueError("not thirteen")
            return traced(row or Account(account=recorded.event.account), recorded)

        @on
        def paid(self, event: Moved) -> Payer:
            if event.amount == BAD:
                raise ValueError("never thirteen")
            return Payer(source=event.source, times=1)

    unlucky = Moved(source="b", target="c", amount=BAD)
    async with bank(Payments, rows=rows) as desk:
        await desk.append(Deposited(account="a", amount=BAD), unlucky, unlucky, Deposited(account="a", amount=1))
        await desk.caught_up()
        assert {each.shown for each in await desk.follower.parking.listed()} == {"a", "@2", "@3"}
        assert await desk.follower.parking.discard("Payments", "@2", reason="unlucky") is None
        broken["is"] = False
        assert await desk.follower.parking.retry("Payments", "a") is None
        await desk.caught_up()
        assert await found(desk) == ({"a": "/1/4"}, {})


class Enriched(Projection[Account | Payer]):
    @on
    def opened(self, event: Opened) -> Account:
        return Account(account=event.account)

    @on
    def paid(self, event: Moved, source: Annotated[Account, Lookup("source")]) -> Payer:
        return Payer(source=source.account, times=1)


class Made(Projection[Account | Payer]):
    @on
    def opened(self, event: Opened) -> Account:
        if event.owner == "bad":
            raise ValueError("not this one")
        return Account(account=event.account)

    @on
    def deposited(self, recorded: Recorded[Deposited], row: Account | None) -> Account:
        return traced(row or Account(account=recorded.event.account), recorded)

    @on
    def paid(self, event: Moved) -> Payer:
        return Payer(source=event.source, times=1)


@pytest.mark.parametrize(
    ("projection", "fails"),
    [(Enriched, Moved(source="ghost", target="b", amount=1)), (Made, Opened(account="b", owner="bad"))],
)
async def test_where_other_rows_build_on_it_an_event_that_fails_stops_everything(rows, projection, fails):
    """Rows that look others up, and rows that are changed later: they would be wrong, and look right."""
    async with bank(projection, rows=rows) as desk:
        await desk.append(Opened(account="a"), fails, Opened(account="c"))
        with pytest.raises(ProjectionFailed):
            await desk.progress.wait_for([projection.__name__], 3, timeout=10)
        assert set((await found(desk))[0]) == {"a"}
        assert (await desk.status(projection.__name__)).position == 1
        assert await desk.follower.parking.listed() == []


class Seen(ReadModel):
    account: Annotated[str, Key()]
    at: datetime


async def test_a_row_of_several_models_that_cannot_be_stored_is_parked(rows):
    """Where the event is about no other row."""

    class Unfit(Projection[Seen | Payer]):
        @on
        def deposited(self, recorded: Recorded[Deposited], row: Seen | None) -> Seen:
            event = recorded.event
            return Seen(account=event.account, at=recorded.recorded_at if event.amount != BAD else "no time")

        @on
        def paid(self, event: Moved, row: Payer | None) -> Payer:
            return row or Payer(source=event.source)

    async with bank(Unfit, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        assert {each.shown for each in await desk.follower.parking.listed()} == set(NAMES[:3])
        assert {row.account async for row in desk.rows.reader(Seen).stream()} == set(NAMES)
