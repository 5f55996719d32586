"""Folding events into rows, handler by handler."""

from __future__ import annotations

from typing import Annotated

import pytest
from tests.accounts import CODEC, Balance, Closed, Deposited, Moved, Opened, plans

from headwater.errors import HandlerContractError, MissingRow, ProjectionError, UndecodableEvent
from headwater.event_store.protocol import RecordedEvent
from headwater.followers.feed import after, facts_of
from headwater.messages import Recorded
from headwater.projections import Folding
from headwater.read_models import Key, Projection, ReadModel, on


class Tally(ReadModel):
    account: Annotated[str, Key()]
    count: int = 1


def facts(*events):
    """The events as the feed gives them."""
    new = [CODEC.encode_event(event) for event in events]
    raw = [
        RecordedEvent(at, each.type, each.version, each.data, each.tags, each.metadata, each.id.bytes, at)
        for at, each in enumerate(new, 1)
    ]
    return facts_of(raw, frozenset(each.type for each in new), CODEC)


def fold(projection, *events, rows=None):
    return Folding(*plans(projection)).fold(facts(*events), rows or {})


class Tallies(Projection[Tally]):
    @on
    def opened(self, event: Opened) -> list[Tally] | None:
        return [Tally(account=letter) for letter in event.owner] if event.owner else None

    @on
    def deposited(self, event: Deposited, row: Tally) -> Tally:
        if event.amount == 0:
            return row
        return Tally(account=row.account, count=row.count + event.amount)

    @on(key=lambda event: [event.source, event.target, event.source])
    def moved(self, event: Moved, row: Tally | None) -> Tally | None:
        if event.amount < 0 and row is None:
            raise ValueError("nothing there")
        return Tally(account=row.account if row else event.target, count=event.amount) if event.amount else None

    @on
    def closed(self, event: Recorded[Closed], row: Tally) -> None:
        assert event.position


def test_new_rows_changed_rows_and_deleted_rows():
    """In the order of the events, each final row once."""
    batch = fold(
        Tallies,
        Opened(account="x", owner="ab"),
        Opened(account="y"),
        Deposited(account="a", amount=4),
        Deposited(account="a", amount=2),
        Closed(account="b"),
    )
    assert batch.error is None
    assert batch.rows == {"a": Tally(account="a", count=7), "b": None}


def test_rows_that_stay_as_they_are_are_not_written():
    """A handler that returns the row it was given changes nothing."""
    assert fold(Tallies, Deposited(account="a", amount=0), rows={"a": Tally(account="a")}).rows == {}


def test_the_needed_rows_are_known_beforehand():
    """Of every event that takes a row, each key once; new rows need none."""
    events = facts(
        Opened(account="x", owner="q"), Deposited(account="a", amount=1), Moved(source="a", target="b", amount=1)
    )
    assert Folding(*plans(Tallies)).keys(events) == {"a", "b"}


def test_a_list_of_keys_calls_the_handler_once_for_each():
    """Also if a key stands in it twice."""
    batch = fold(Tallies, Moved(source="a", target="b", amount=5), rows={"a": Tally(account="a")})
    assert batch.rows == {"a": Tally(account="a", count=5), "b": Tally(account="b", count=5)}


def test_nothing_of_an_event_that_fails_is_kept():
    """Not even for the first of its keys; what came before it stays."""
    batch = fold(
        Tallies,
        Deposited(account="a", amount=4),
        Moved(source="a", target="b", amount=-5),
        Deposited(account="a", amount=4),
        rows={"a": Tally(account="a")},
    )
    assert (batch.failed_at, type(batch.error)) == (2, ValueError)
    assert batch.rows == {"a": Tally(account="a", count=5)}


def test_a_missing_row_is_an_error_unless_the_handler_allows_it():
    """It says which row, and what to write instead."""
    batch = fold(Tallies, Deposited(account="a", amount=4))
    assert isinstance(batch.error, MissingRow)
    assert "row: Row | None" in str(batch.error)


def test_a_key_of_none_means_no_row():
    """The event is about nothing that this projection keeps."""

    class Owners(Projection[Tally]):
        @on(key=lambda event: event.owner or None)
        def opened(self, event: Opened, row: Tally | None) -> Tally:
            return Tally(account=event.owner)

    assert fold(Owners, Opened(account="a"), Opened(account="a", owner="o")).rows == {"o": Tally(account="o")}


def test_a_row_keeps_its_key():
    """A handler that returns another row than it was given is stopped."""

    class Moving(Projection[Tally]):
        @on
        def deposited(self, event: Deposited, row: Tally | None) -> Tally:
            return Tally(account="elsewhere")

    error = fold(Moving, Deposited(account="a", amount=1)).error
    assert isinstance(error, ProjectionError)
    assert "a row keeps its key" in str(error)


@pytest.mark.parametrize("returned", [7, [7], "text", {"a": 1}, None])
def test_what_is_no_row_is_refused(returned):
    """Wherever it comes from; so is a forgotten ``return``, which would delete a row."""

    class Wrong(Projection[Tally]):
        @on
        def opened(self, event: Opened) -> Tally:
            return returned

        @on
        def deposited(self, event: Deposited, row: Tally | None) -> Tally:
            return returned

    assert isinstance(fold(Wrong, Opened(account="a")).error, HandlerContractError)
    assert isinstance(fold(Wrong, Deposited(account="a", amount=1)).error, HandlerContractError)


@pytest.mark.parametrize("key", [("a", "b"), [None]])
def test_what_is_no_key_is_refused(key):
    """When the rows are looked up it is passed over; folding tells."""

    class Wrong(Projection[Balance]):
        @on(key=lambda event: key)
        def opened(self, event: Opened, row: Balance | None) -> Balance | None:
            return row

    folding = Folding(*plans(Wrong))
    assert folding.keys(facts(Opened(account="a"))) == set()
    assert isinstance(folding.fold(facts(Opened(account="a")), {}).error, ProjectionError)


def test_an_event_that_cannot_be_decoded_fails_when_its_turn_comes():
    """With the codec's own error; a projection that does not want it passes it over."""
    raw = RecordedEvent(1, "Opened", 1, b"{}", (), b"{}", bytes(16), 0)
    (fact,) = facts_of([raw], frozenset(["Opened"]), CODEC)

    class Deposits(Projection[Tally]):
        @on
        def deposited(self, event: Deposited) -> Tally:
            return Tally(account=event.account)

    assert isinstance(Folding(*plans(Tallies)).fold([fact], {}).error, UndecodableEvent)
    assert Folding(*plans(Deposits)).fold([fact], {}).error is None


def test_facts_beyond_a_position():
    """What a consumer has seen already is not given to it again."""
    given = facts(*[Opened(account="a")] * 3)
    assert after(given, 0) is given
    assert [fact.position for fact in after(given, 2)] == [3]
    assert after([], 5) == []
