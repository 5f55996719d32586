from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import msgspec
import pytest

from headwater.errors import MissingRow, WiringError
from headwater.messages import Event, Recorded
from headwater.read_models import Key, Projection, ReadModel, on
from headwater.testing import scenario

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Opened(Event):
    account: str
    owner: str


class Moved(Event):
    source: str
    target: str
    amount: int


class Closed(Event):
    account: str


class Renamed(Event):
    account: str
    owner: str


class Imported(Event):
    accounts: list[str]


class Account(ReadModel):
    account: Annotated[str, Key()]
    owner: str
    since: datetime
    moves: int = 0


class Accounts(Projection[Account]):
    @on
    def opened(self, event: Recorded[Opened]) -> Account:
        return Account(account=event.event.account, owner=event.event.owner, since=event.recorded_at)

    @on
    def imported(self, event: Recorded[Imported]) -> list[Account]:
        return [Account(account=name, owner="?", since=event.recorded_at) for name in event.event.accounts]

    @on(key=lambda event: [event.source, event.target])
    def moved(self, event: Moved, row: Account) -> Account:
        return msgspec.structs.replace(row, moves=row.moves + 1)

    @on
    def renamed(self, event: Renamed, row: Account | None) -> Account | None:
        return None if row is None else msgspec.structs.replace(row, owner=event.owner)

    @on
    def closed(self, event: Closed, row: Account) -> None:
        return None


class Visited(Event):
    page: str
    day: date


class Visits(ReadModel):
    page: Annotated[str, Key()]
    day: Annotated[date, Key()]
    count: int


class VisitCounts(Projection[Visits]):
    @on
    def visited(self, event: Visited, row: Visits | None) -> Visits:
        return Visits(page=event.page, day=event.day, count=row.count + 1 if row else 1)


def account(name, owner="?", moves=0, since=NOON):
    return Account(account=name, owner=owner, since=since, moves=moves)


def test_an_event_makes_a_row():
    """Events that name no time were recorded now."""
    scenario(Accounts, now=NOON).given(Opened(account="a", owner="Ann")).then_rows(account("a", "Ann"))


def test_a_time_of_its_own_reaches_the_projection():
    """An event and when it was recorded."""
    earlier = NOON.replace(year=2020)

    scenario(Accounts, now=NOON).given((Opened(account="a", owner="Ann"), earlier)).then_rows(
        account("a", "Ann", since=earlier)
    )


def test_rows_are_compared_in_any_order():
    """Several rows of one event, named the other way round."""
    scenario(Accounts, now=NOON).given(Imported(accounts=["b", "a"])).then_rows(account("b"), account("a"))


def test_an_event_may_change_several_rows():
    """``key`` gives a list: once for each."""
    scenario(Accounts, now=NOON).given(
        Imported(accounts=["a", "b", "c"]), Moved(source="a", target="b", amount=5)
    ).then_rows(account("a", moves=1), account("b", moves=1), account("c"))


def test_a_row_is_removed_and_then_there_is_none():
    """Without arguments ``then_rows`` says that nothing is left."""
    opened = scenario(Accounts, now=NOON).given(Opened(account="a", owner="Ann"))

    opened.given(Closed(account="a")).then_rows()
    opened.then_rows(account("a", "Ann"))


def test_a_row_that_may_be_absent_is_none():
    """And stays absent, if the projection says so."""
    scenario(Accounts).given(Renamed(account="a", owner="Bob")).then_rows()


def test_a_key_of_two_fields_finds_its_row():
    """One row per page and day."""
    monday, tuesday = date(2026, 5, 4), date(2026, 5, 5)
    visits = [Visited(page="/", day=day) for day in (monday, tuesday, monday)]

    scenario(VisitCounts).given(*visits).then_rows(
        Visits(page="/", day=monday, count=2), Visits(page="/", day=tuesday, count=1)
    )


def test_a_scenario_goes_on():
    """Rows can be looked at in between."""
    (
        scenario(Accounts, now=NOON)
        .given(Opened(account="a", owner="Ann"))
        .then_rows(account("a", "Ann"))
        .given(Renamed(account="a", owner="Bob"))
        .then_rows(account("a", "Bob"))
    )


def test_events_that_the_projection_does_not_know_change_nothing():
    """As in the real thing."""
    scenario(Accounts).given(Visited(page="/", day=date(2026, 5, 4))).then_rows()


def test_a_missing_row_is_an_error():
    """The handler says ``row: Account``, and there is none."""
    with pytest.raises(MissingRow, match="closed"):
        scenario(Accounts).given(Closed(account="a")).then_rows()


def test_other_rows_are_shown_field_by_field():
    """The line that differs stands out, and what was given is listed."""
    opened = scenario(Accounts, now=NOON).given(Opened(account="a", owner="Ann"))

    with pytest.raises(AssertionError) as failure:
        opened.then_rows(account("a", "Bob"))
    told = str(failure.value)
    assert "-     owner='Bob'," in told
    assert "+     owner='Ann'," in told
    assert "Opened(account='a', owner='Ann')" in told


class Keyless(ReadModel):
    name: str


class NoKey(Projection[Keyless]):
    @on
    def opened(self, event: Opened) -> Keyless:
        return Keyless(name=event.owner)


class NoRow(Projection):
    @on
    def opened(self, event: Opened) -> Keyless:
        return Keyless(name=event.owner)


@pytest.mark.parametrize("projection", [NoKey, NoRow])
def test_the_faults_of_the_class_are_reported(projection):
    """As the app would report them."""
    with pytest.raises(WiringError):
        scenario(projection)
