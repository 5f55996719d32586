"""Answers as they were: at a position, at a time, on scratch rows of which few are kept."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest

from headwater import App, Event, ListQuery, Now, PageRequest, Projection, Query, Reader, ReadModel, Tag, answers, on
from headwater.errors import InvalidAsOf, ProjectionFailed, QueryTooSlow
from headwater.limits import Limits
from headwater.queries import past
from headwater.queries.past import as_of_text
from headwater.read_models import Key
from headwater.testing import ControlledClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Paid(Event):
    account: Annotated[str, Tag("account")]
    amount: int


class Sums(ReadModel):
    account: Annotated[str, Key()]
    amount: int
    times: int


class Paying(Projection[Sums]):
    @on
    def paid(self, event: Paid, row: Sums | None) -> Sums:
        if event.amount < 0:
            raise ValueError("a payment below nothing")
        before = row or Sums(account=event.account, amount=0, times=0)
        return Sums(account=event.account, amount=before.amount + event.amount, times=before.times + 1)


class GetSum(Query[int]):
    account: str


class GetTime(Query[datetime]):
    pass


@answers
async def get_sum(query: GetSum, sums: Reader[Sums]) -> int:
    row = await sums.get(query.account)
    return row.amount if row else 0


@answers
def get_time(_query: GetTime, now: Now) -> datetime:
    return now


class FindSums(ListQuery[Sums]):
    pass


class AddUp(Query[int]):
    pass


@answers
async def add_up(_query: AddUp, sums: Reader[Sums]) -> int:
    import sqlalchemy as sa

    (row,) = await sums.select(sa.select(sa.func.sum(sums.table.c.amount)))
    return row[0]


APP = App("past", Paying, get_sum, get_time, FindSums, add_up, Paid)


@asynccontextmanager
async def paid(amounts, read_store="memory:", app=APP):
    """An application into which amounts were paid, one each hour from noon on."""
    clock = ControlledClock(NOON)
    async with app.open("memory:", read_store=read_store, clock=clock) as desk:
        for amount in amounts:
            await desk.event_store.append([desk.codec.encode_event(Paid(account="a", amount=amount))])
            clock.advance(HOUR)
        yield desk


@pytest.fixture(params=["in memory", "in a file"])
def scratch(request, monkeypatch, tmp_path):
    """Where past rows stand."""
    monkeypatch.setattr(past, "_MOST_IN_MEMORY", 1_000 if request.param == "in memory" else 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


async def test_each_position_has_its_own_answer(scratch):
    """From nothing at all up to the whole log, forwards and backwards."""
    async with paid([1, 2, 3, 4]) as desk:
        for position, expected in ((2, 3), (4, 10), (0, 0), (3, 6), (2, 3)):
            answer = await desk.answer(GetSum(account="a"), as_of=position)
            assert (answer.value, answer.position) == (expected, position)
        assert answer.age_seconds == (2 * HOUR).total_seconds()
        await desk.caught_up()
        assert await desk.ask(GetSum(account="a")) == 10
    assert list(scratch.iterdir()) == []


async def test_each_moment_has_its_own_answer(scratch):
    """Events count from the moment they were recorded on; before the first there is nothing."""
    async with paid([1, 2, 3, 4]) as desk:
        for moment, expected in (
            (NOON - HOUR, 0),
            (NOON, 1),
            (NOON + HOUR - timedelta(microseconds=1), 1),
            (NOON + HOUR, 3),
            (NOON + 4 * HOUR, 10),
        ):
            assert await desk.ask(GetSum(account="a"), as_of=moment) == expected
        assert await desk.ask(GetTime(), as_of=NOON + HOUR) == NOON + HOUR
        assert await desk.ask(GetTime(), as_of=3) == NOON + 2 * HOUR


@pytest.mark.parametrize(
    ("as_of", "words"),
    [
        (5, "ends at position 4"),
        (-1, "ends at position 4"),
        (datetime(2026, 1, 1), "no time zone"),  # noqa: DTZ001  what is refused
        (NOON + 5 * HOUR, "still to come"),
        ("yesterday", "give a position, or an aware datetime"),
        (True, "give a position, or an aware datetime"),
    ],
    ids=str,
)
async def test_places_that_there_are_not_are_refused(as_of, words):
    """With an error that says why."""
    async with paid([1, 2, 3, 4]) as desk:
        with pytest.raises(InvalidAsOf, match=words):
            await desk.ask(GetSum(account="a"), as_of=as_of)


async def test_a_past_that_does_not_include_what_is_wanted_is_refused():
    """It is never answered as if nothing had been said of what it must include."""
    async with paid([1, 2, 3, 4]) as desk:
        assert await desk.ask(GetSum(account="a"), as_of=3, after=3) == 6
        for ask in (desk.ask, desk.answer, desk.rendered):
            with pytest.raises(InvalidAsOf, match="as of position 3 does not include 4"):
                await ask(GetSum(account="a"), as_of=3, after=4)


async def test_sql_of_ones_own_is_answered_as_of_then(scratch):
    """Where rows in memory have no SQL, they are built where there is."""
    pytest.importorskip("sqlalchemy")
    async with paid([1, 2, 3, 4], f"sqlite:///{scratch}/live.db") as desk:
        assert [await desk.ask(AddUp(), as_of=position) for position in (2, 2, 4, 3)] == [3, 3, 10, 6]
        assert await desk.ask(GetSum(account="a"), as_of=2) == 3


async def test_a_page_of_the_past_is_followed_by_another_process(scratch):
    """A cursor is signed as the read store signs it, not as the rows that were built to answer."""
    clock, page = ControlledClock(NOON + 9 * HOUR), PageRequest(size=1)
    seen = []
    log, rows = f"sqlite:///{scratch}/log.db", f"sqlite:///{scratch}/live.db"
    for _ in range(2):
        async with APP.open(log, read_store=rows, clock=clock) as desk:
            if not seen:
                for account in "ab":
                    paying = Paid(account=account, amount=1)
                    await desk.event_store.append([desk.codec.encode_event(paying)])
            found = await desk.ask(FindSums(page=page), as_of=2)
            seen += [row.account for row in found.items]
            page = PageRequest(size=1, cursor=found.next)
    assert (seen, page.cursor) == (["a", "b"], None)


async def test_an_event_that_cannot_be_projected_is_named(scratch):
    """Past it there is no answer; before it there is, and nothing is left behind."""
    async with paid([1, -2, 3]) as desk:
        with pytest.raises(ProjectionFailed, match="position 2"):
            await desk.ask(GetSum(account="a"), as_of=3)
        assert await desk.ask(GetSum(account="a"), as_of=1) == 1
    assert list(scratch.iterdir()) == []


async def test_few_places_are_kept(scratch, monkeypatch):
    """The ones that were asked for last; what they stand in is cleared away."""
    monkeypatch.setattr(past, "_KEPT", 2)
    async with paid(range(6)) as desk:
        for position in range(1, 7):
            await desk.ask(GetSum(account="a"), as_of=position)
        assert [at for _, at, _ in desk._past._kept] == [5, 6]
        assert len(list(scratch.iterdir())) in {0, 2}


class GetSumInTime(Query[int], limits=Limits(seconds=0.2)):
    account: str


@answers
async def get_sum_in_time(query: GetSumInTime, sums: Reader[Sums]) -> int:
    row = await sums.get(query.account)
    return row.amount if row else 0


class Folds:
    """Counts the folds that go on, and holds them up until it is opened."""

    def __init__(self, monkeypatch):
        self.going, self.begun, self.most, self.ended = 0, 0, 0, 0
        self.gate = asyncio.Event()
        self._fold = past.fold_until
        monkeypatch.setattr(past, "fold_until", self)

    async def until(self, count):
        """Return when so many go on."""
        while self.going < count:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0)

    async def __call__(self, *terms):
        self.going += 1
        self.begun += 1
        self.most = max(self.most, self.going)
        try:
            await self.gate.wait()
            await self._fold(*terms)
        finally:
            self.going -= 1
            self.ended += 1


async def test_a_fold_that_takes_too_long_is_given_up(scratch, monkeypatch):
    """With an error that says what to do, and nothing goes on behind it."""
    folds = Folds(monkeypatch)
    app = App("past", Paying, get_sum_in_time, Paid)
    async with paid([1, 2, 3], app=app) as desk:
        with pytest.raises(QueryTooSlow, match=r"within 0.2 s .*Limits\(seconds=") as refused:
            await desk.ask(GetSumInTime(account="a"), as_of=2)
        assert (refused.value.limit, refused.value.allowed) == ("seconds", 0.2)
        await asyncio.sleep(0)
        assert (folds.going, folds.ended) == (0, 1)
        folds.gate.set()
        assert await desk.ask(GetSumInTime(account="a"), as_of=2) == 3
    assert list(scratch.iterdir()) == []


async def test_a_long_fold_lets_others_go_on(monkeypatch):
    """Also where the log answers at once: between its pages, whoever is cancelled is gone."""
    monkeypatch.setattr(past, "_PAGE", 1)
    async with paid(range(1, 50)) as desk:
        asked = asyncio.create_task(desk.ask(GetSum(account="a"), as_of=49))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not asked.done()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert desk._past._kept == {}


async def test_few_folds_go_on_at_once(monkeypatch):
    """The others wait for their turn; what is kept is answered meanwhile."""
    async with paid(range(1, 10)) as desk:
        assert await desk.ask(GetSum(account="a"), as_of=9) == 45
        folds = Folds(monkeypatch)
        asked = [asyncio.create_task(desk.ask(GetSum(account="a"), as_of=at)) for at in range(1, 9)]
        await folds.until(past._MOST_FOLDS)
        assert await desk.ask(GetSum(account="a"), as_of=9) == 45
        folds.gate.set()
        assert await asyncio.gather(*asked) == [sum(range(1, at + 1)) for at in range(1, 9)]
        assert folds.most == past._MOST_FOLDS


async def test_who_asks_for_the_same_place_waits_for_the_same_fold(monkeypatch):
    """One who gives up leaves it to the others; the last one ends it."""
    async with paid([1, 2, 3]) as desk:
        folds = Folds(monkeypatch)
        asked = [asyncio.create_task(desk.ask(GetSum(account="a"), as_of=2)) for _ in range(3)]
        await folds.until(1)
        asked[0].cancel()
        await asyncio.wait(asked[:1])
        assert folds.going == 1
        folds.gate.set()
        assert await asyncio.gather(*asked[1:]) == [3, 3]
        assert folds.begun == 1


async def test_closing_ends_what_is_being_folded(scratch, monkeypatch):
    """Whoever asked is told, and nothing is left behind."""
    folds = Folds(monkeypatch)
    async with paid([1, 2, 3]) as desk:
        asked = asyncio.create_task(desk.ask(GetSum(account="a"), as_of=2))
        await folds.until(1)
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert folds.ended == 1
    assert list(scratch.iterdir()) == []


async def test_a_repeated_question_folds_nothing(monkeypatch):
    """And a later one goes on from the nearest place before."""
    folded = []
    fold = past.fold_until

    async def counting(events, codec, consumers, rows, start, position):
        folded.append((start, position))
        await fold(events, codec, consumers, rows, start, position)

    monkeypatch.setattr(past, "fold_until", counting)
    async with paid([1, 2, 3, 4]) as desk:
        answers = [await desk.ask(GetSum(account="a"), as_of=position) for position in (2, 2, 3, 1, 4)]
    assert answers == [3, 3, 6, 1, 10]
    assert folded == [(0, 2), (2, 3), (0, 1), (3, 4)]


def test_a_place_is_written_as_a_position_or_a_time():
    """As people write them."""
    assert as_of_text("17") == 17
    assert as_of_text("2026-01-01T12:00:00Z") == NOON
    with pytest.raises(ValueError, match="Invalid isoformat"):
        as_of_text("yesterday")
