"""Projections of several models: rows stored together, looked up, and added up, in every read store."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated

import msgspec
import pytest

from headwater import App, Event, Key, Projection, ReadModel, Tag, on
from headwater.errors import ContractChanged, HandlerContractError, MissingRow, ProjectionError
from headwater.figure_marks import Avg, Count, Max, Min, Sum
from headwater.projections.comparing import compare
from headwater.read_models import AggregateProjection, projection_plan
from headwater.row_handlers import Lookup
from headwater.testing import scenario

CaseId = Annotated[str, Tag("case")]


class Opened(Event):
    case: CaseId
    caller: str
    group: str
    cost: Decimal


class Regrouped(Event):
    case: CaseId
    group: str


class Dropped(Event):
    case: CaseId


class Renamed(Event):
    caller: str
    name: str


class CaseRow(ReadModel):
    case: Annotated[str, Key()]
    group: str
    cost: Decimal
    caller_name: str = ""


class CallerRow(ReadModel):
    caller: Annotated[str, Key()]
    name: str = ""
    cases: int = 0


class Load(ReadModel):
    group: Annotated[str, Key()]
    cases: Annotated[int, Count()]
    cost: Annotated[Decimal, Sum()]


class Desk(Projection[CaseRow | CallerRow | Load]):
    @on
    def opened(self, event: Opened, caller: Annotated[CallerRow | None, Lookup("caller")]) -> CaseRow | Load:
        name = caller.name if caller else event.caller
        return [
            CaseRow(case=event.case, group=event.group, cost=event.cost, caller_name=name),
            Load(group=event.group, cases=1, cost=event.cost),
        ]

    @on
    def called(self, event: Opened, row: CallerRow | None) -> CallerRow:
        row = row or CallerRow(caller=event.caller)
        return msgspec.structs.replace(row, cases=row.cases + 1)

    @on
    def renamed(self, event: Renamed, row: CallerRow | None) -> CallerRow:
        row = row or CallerRow(caller=event.caller)
        return msgspec.structs.replace(row, name=event.name)

    @on
    def regrouped(self, event: Regrouped, row: CaseRow) -> CaseRow:
        return msgspec.structs.replace(row, group=event.group)

    @on
    def moved(self, event: Regrouped, before: Annotated[CaseRow, Lookup("case")]) -> list[Load]:
        return [
            Load(group=before.group, cases=-1, cost=-before.cost),
            Load(group=event.group, cases=1, cost=before.cost),
        ]

    @on
    def dropped(self, event: Dropped, row: CaseRow) -> None:
        """The row goes."""

    @on
    def relieved(self, event: Dropped, before: Annotated[CaseRow, Lookup()]) -> Load:
        return Load(group=before.group, cases=-1, cost=-before.cost)


APP = App("desk", Desk)


def events(seed, count):
    """What happens at a desk: cases are opened, moved and dropped, callers renamed."""
    chance = random.Random(seed)
    there: list[str] = []
    made: list[Event] = []
    for number in range(count):
        kind = chance.random()
        if kind < 0.5 or not there:
            there.append(f"c{number}")
            cost = Decimal(chance.randrange(10_000)) / 100
            caller, group = f"p{chance.randrange(5)}", f"g{chance.randrange(4)}"
            made.append(Opened(case=there[-1], caller=caller, group=group, cost=cost))
        elif kind < 0.8:
            made.append(Regrouped(case=chance.choice(there), group=f"g{chance.randrange(4)}"))
        elif kind < 0.9:
            made.append(Dropped(case=there.pop(chance.randrange(len(there)))))
        else:
            made.append(Renamed(caller=f"p{chance.randrange(5)}", name=f"n{number}"))
    return made


def expected(happened):
    """The rows, counted plainly."""
    cases: dict[str, CaseRow] = {}
    names, calls = dict[str, str](), Counter[str]()
    for event in happened:
        match event:
            case Opened():
                known = event.caller in names or event.caller in calls
                name = names.get(event.caller, "") if known else event.caller
                cases[event.case] = CaseRow(case=event.case, group=event.group, cost=event.cost, caller_name=name)
                calls[event.caller] += 1
            case Regrouped():
                cases[event.case] = msgspec.structs.replace(cases[event.case], group=event.group)
            case Dropped():
                del cases[event.case]
            case Renamed():
                names[event.caller] = event.name
    groups = {row.group for row in cases.values()}
    mine = {group: [row for row in cases.values() if row.group == group] for group in groups}
    loads = [Load(group=each, cases=len(rows), cost=sum(row.cost for row in rows)) for each, rows in mine.items()]
    callers = [CallerRow(caller=each, name=names.get(each, ""), cases=calls[each]) for each in {*names, *calls}]
    return sorted(cases.values(), key=lambda row: row.case), callers, loads


async def stored(desk):
    """The rows as they stand in the store."""
    return [await desk.read_store.reader(model).all() for model in (CaseRow, CallerRow, Load)]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def rows(request, tmp_path):
    """The URL of a read store of each kind."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/rows.db"


@asynccontextmanager
async def desk_with(happened, rows, **options):
    """A desk at which that happened, in appends of some events each."""
    async with APP.open("memory:", read_store=rows, **options) as desk:
        for start in range(0, len(happened), 17):
            await desk.event_store.append([desk.codec.encode_event(each) for each in happened[start : start + 17]])
        yield desk


async def test_all_rows_of_an_event_are_stored_together_and_added_up_exactly(rows):
    """Also built anew, where a batch holds many events instead of some; a group without cases is gone."""
    happened = events(1, 300)
    cases, callers, loads = expected(happened)
    wanted = [cases, sorted(callers, key=lambda row: row.caller), sorted(loads, key=lambda row: row.group)]
    async with desk_with(happened, rows) as desk:
        await desk.caught_up(timeout=30)
        assert await stored(desk) == wanted
        await desk.rebuild("Desk")
        await desk.caught_up(timeout=30)
        assert await stored(desk) == wanted


async def test_a_batch_is_enriched_by_one_read_for_each_model():
    """Whatever the number of events."""
    happened = events(2, 200)
    async with desk_with(happened, "memory:", follow=False) as desk:
        loads = []
        load = desk.read_store.load

        async def counted(table, keys):
            loads.append(table.model)
            return await load(table, keys)

        desk.read_store.load = counted
        await desk.rebuild("Desk")
        assert len(loads) <= 2 * len({CaseRow, CallerRow, Load})


async def test_a_model_more_needs_another_version(tmp_path):
    """Its rows of before would be missing."""

    class Small(Projection[CaseRow | CallerRow]):
        name = "Desk"

        @on
        def opened(self, event: Opened) -> CaseRow:
            return CaseRow(case=event.case, group=event.group, cost=event.cost)

        @on
        def called(self, event: Opened, row: CallerRow | None) -> CallerRow:
            return row or CallerRow(caller=event.caller)

    url, log = f"sqlite:///{tmp_path}/rows.db", f"sqlite:///{tmp_path}/log.db"
    async with App("desk", Small).open(log, read_store=url) as desk:
        event = Opened(case="c", caller="p", group="g", cost=Decimal(1))
        await desk.event_store.append([desk.codec.encode_event(event)])
        await desk.caught_up()
    with pytest.raises(ContractChanged, match="version = 2"):
        async with APP.open(log, read_store=url):
            pass


def test_a_row_that_must_be_looked_up_and_is_not_there_stops_the_event():
    """With the key; all handlers of an event see the rows as they were before it."""
    with pytest.raises(MissingRow, match="c9"):
        _ = scenario(Desk).given(Regrouped(case="c9", group="g")).rows
    opened = Opened(case="c", caller="p", group="g", cost=Decimal(2))
    scenario(Desk).given(opened, Regrouped(case="c", group="h")).then_rows(
        Load(group="h", cases=1, cost=Decimal(2)),
        CallerRow(caller="p", cases=1),
        CaseRow(case="c", group="h", cost=Decimal(2), caller_name="p"),
    )


class Forgetful(Projection[CaseRow | CallerRow]):
    @on
    def opened(self, event: Opened) -> CaseRow:
        pass

    @on
    def renamed(self, event: Renamed, row: CallerRow | None) -> CallerRow:
        pass


@pytest.mark.parametrize(
    "event", [Opened(case="c", caller="p", group="g", cost=Decimal(1)), Renamed(caller="p", name="n")]
)
def test_a_forgotten_return_stops_the_event(event):
    """Only a handler that says it may returns ``None``."""
    with pytest.raises(HandlerContractError, match=r"Forgetful\.(opened|renamed) returned None"):
        _ = scenario(Forgetful).given(event).rows


class Spread(ReadModel):
    group: Annotated[str, Key()]
    times: Annotated[int, Count()]
    lowest: Annotated[Decimal | None, Min()] = None
    highest: Annotated[Decimal | None, Max()] = None


class Spreads(AggregateProjection[Spread]):
    @on
    def opened(self, event: Opened) -> Spread:
        return Spread(group=event.group, times=1, lowest=event.cost, highest=event.cost)

    @on
    def regrouped(self, event: Regrouped) -> Spread:
        return Spread(group=event.group, times=1)


def test_lowest_and_highest_are_kept():
    """What is unknown is neither."""
    costs = (3, 1, 2)
    happened = [Opened(case=f"c{cost}", caller="p", group="g", cost=Decimal(cost)) for cost in costs]
    scenario(Spreads).given(*happened, Regrouped(case="c1", group="g"), Regrouped(case="c1", group="h")).then_rows(
        Spread(group="g", times=4, lowest=Decimal(1), highest=Decimal(3)), Spread(group="h", times=1)
    )


class Mixed(ReadModel):
    group: Annotated[str, Key()]
    times: Annotated[int | None, Count()]
    mean: Annotated[float, Avg()]
    note: str = ""


class Wrong(AggregateProjection[Mixed | CaseRow]):
    @on
    def opened(self, event: Opened, row: Mixed | None) -> Mixed: ...

    @on
    def regrouped(self, event: Regrouped, before: Annotated[Mixed | None, Lookup("group")]) -> CaseRow: ...

    @on
    def dropped(self, event: Dropped, caller: Annotated[CaseRow | None, Lookup("caller")]) -> CaseRow: ...

    @on
    def dropped_too(self, event: Dropped) -> CaseRow: ...

    @on
    def renamed(self, event: Renamed, before: Annotated[CaseRow | None, Lookup("caller", "name")]) -> CaseRow: ...


def test_every_fault_of_such_a_projection_is_told():
    """At once."""
    plan = projection_plan(Wrong)
    told = "\n".join(plan.faults)
    for words in (
        "Mixed.times: what is added is",
        "Mixed.mean: in rows that are added up",
        "Mixed.note: in rows that are added up",
        "take no row",
        "Mixed | None, which is no row that it fills",
        "Dropped has no field 'caller' to look up caller by",
        "Dropped is already projected by",
        "names as many fields as the key of CaseRow",
        "CaseRow has no Count, Sum, Min or Max",
    ):
        assert words in told


async def test_rows_of_several_models_are_not_compared_one_by_one():
    """It is said, with what helps instead."""
    async with desk_with(events(3, 20), "memory:") as desk:
        with pytest.raises(ProjectionError, match="projections rebuild"):
            await compare(projection_plan(Desk), desk.event_store, desk.read_store, desk.codec)


class Reading(Event):
    sensor: Annotated[str, Tag("sensor")]
    degrees: int
    is_taken_back: bool = False


class Extremes(ReadModel):
    sensor: Annotated[str, Key()]
    readings: Annotated[int, Count()]
    degrees: Annotated[int, Sum()]
    lowest: Annotated[int | None, Min()] = None


class Weather(AggregateProjection[Extremes]):
    """What is taken back leaves a remainder in the sum, and no lowest value behind."""

    @on
    def read(self, event: Reading) -> Extremes:
        if event.is_taken_back:
            return Extremes(sensor=event.sensor, readings=-1, degrees=0)
        return Extremes(sensor=event.sensor, readings=1, degrees=event.degrees, lowest=event.degrees)


WEATHER = App("weather", Weather)


async def test_a_group_that_went_on_the_way_begins_anew():
    """In one batch as in several: its lowest value is that of what came since."""
    happened = [Reading(sensor="s", degrees=2), Reading(sensor="s", degrees=2, is_taken_back=True)]
    happened.append(Reading(sensor="s", degrees=5))
    wanted = [Extremes(sensor="s", readings=1, degrees=5, lowest=5)]
    for batches in ([happened], [[event] for event in happened], [happened[:1], happened[1:]]):
        async with WEATHER.open("memory:") as desk:
            for batch in batches:
                await desk.event_store.append([WEATHER.codec.encode_event(event) for event in batch])
                await desk.caught_up()
            assert [row async for row in desk.read_store.reader(Extremes).stream()] == wanted
    scenario(Weather).given(*happened).then_rows(*wanted)
