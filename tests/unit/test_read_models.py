"""Declaring read models and projections: what is read from them, and every fault."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import pytest

from headwater.messages import Event, Recorded, contract
from headwater.read_models import Indexed, Key, Projection, ReadModel, key_fields, on, projection_plan


class Made(Event):
    code: str
    day: date


@contract("Renamed", aliases=["Before"])
class Other(Event):
    note: str


class Row(ReadModel):
    code: Annotated[str, Key()]
    note: str = ""


class Pair(ReadModel):
    code: Annotated[str, Key()]
    day: Annotated[date, Key()]


class Keyless(ReadModel):
    code: str


class OddKey(ReadModel):
    code: Annotated[str | None, Key()]
    weight: Annotated[float, Key()]


class Misnamed(ReadModel):
    code: Annotated[str, Key()]
    note: Annotated[str, Indexed("cod")]


class Confusing(ReadModel):
    code: Annotated[str, Key()]
    Code: str


def faults(projection):
    plan = projection_plan(projection)
    return [plan] if isinstance(plan, str) else list(plan.faults)


class Good(Projection[Row]):
    version = 3

    @on
    def made(self, event: Made) -> Row: ...

    @on(key=lambda recorded: recorded.event.note)
    def other(self, recorded: Recorded[Other], row: Row | None) -> Row | None: ...


def test_a_plan_knows_everything():
    """Name, version, model, key, and the stored names of its events."""
    plan = projection_plan(Good)
    assert (plan.name, plan.version, plan.models, key_fields(Row)) == ("Good", 3, (Row,), ("code",))
    assert plan.events == (Made, Other)
    assert plan.event_types == {"Made", "Renamed", "Before"}
    (made,), (other,) = plan.handlers[Made], plan.handlers[Other]
    assert (made.needs, other.needs) == ("new", "optional")
    assert (made.wants_envelope, other.wants_envelope) == (False, True)
    assert plan.faults == ()


def test_a_name_of_its_own():
    """A class may be renamed when its name is stored."""

    class Renamed(Good):
        name = "Good"

    assert projection_plan(Renamed).name == "Good"


def test_a_subclass_inherits_and_replaces_handlers():
    """The most derived method of a name counts."""

    class Derived(Good):
        @on
        def made(self, event: Other) -> Row: ...

    assert faults(Derived) == [f"{Derived.made.__qualname__}: Other is already projected by Good.other"] or (
        "Other is already projected" in faults(Derived)[0]
    )


def test_the_key_comes_from_fields_of_the_same_name():
    """Of the event, or of the event in its envelope; several make a tuple."""

    class Pairs(Projection[Pair]):
        @on
        def made(self, event: Made, row: Pair) -> Pair: ...

    class Enveloped(Projection[Pair]):
        @on
        def made(self, event: Recorded[Made], row: Pair) -> Pair: ...

    made = Made(code="c", day=date(2026, 1, 1))
    assert projection_plan(Pairs).handlers[Made][0].key(made) == ("c", date(2026, 1, 1))
    recorded = Recorded(made, 1, None, None)
    assert projection_plan(Enveloped).handlers[Made][0].key(recorded) == ("c", date(2026, 1, 1))


def test_a_union_is_projected_member_by_member():
    """Also a union of envelopes, or an envelope of a union."""

    class Both(Projection[Row]):
        @on
        def happened(self, event: Recorded[Made] | Recorded[Other]) -> list[Row]: ...

    class Inside(Projection[Row]):
        @on
        def happened(self, event: Recorded[Made | Other]) -> Row | None: ...

    assert projection_plan(Both).events == projection_plan(Inside).events == (Made, Other)


class _WithoutModel(Projection):
    @on
    def made(self, event: Made) -> Row: ...


class _Empty(Projection[Row]):
    pass


class _NoVersion(Good):
    version = 0


class _NotAnEvent(Projection[Row]):
    @on
    def made(self, event: int) -> Row: ...


class _TooMany(Projection[Row]):
    @on
    def made(self, event: Made, row: Row, more: int) -> Row: ...


class _OtherRow(Projection[Row]):
    @on
    def made(self, event: Made, row: Pair) -> Row: ...


class _OtherReturn(Projection[Row]):
    @on
    def made(self, event: Made) -> Pair: ...


class _NoKeyField(Projection[Row]):
    @on
    def other(self, event: Other, row: Row) -> Row: ...


class _KeyWithoutRow(Projection[Row]):
    @on(key=lambda event: event.code)
    def made(self, event: Made) -> Row: ...


class _Twice(Projection[Row]):
    @on
    def made(self, event: Made) -> Row: ...

    @on
    def again(self, event: Made) -> Row: ...


class _Unannotated(Projection[Row]):
    @on
    def made(self, event) -> Row: ...


class _Later(Projection[Row]):
    @on
    async def made(self, event: Made) -> Row: ...


class _OfKeyless(Projection[Keyless]):
    @on
    def made(self, event: Made) -> Keyless: ...


class _OfMisnamed(Projection[Misnamed]):
    @on
    def made(self, event: Made) -> Misnamed: ...


class _OfConfusing(Projection[Confusing]):
    @on
    def made(self, event: Made) -> Confusing: ...


class _Undecorated(Good):
    def other(self, event: Other) -> Row: ...


class _WithArguments(Good):
    def __init__(self, database: str) -> None:
        self.database = database


@pytest.mark.parametrize(
    ("projection", "fault"),
    [
        (_WithoutModel, "say which rows it fills"),
        (_Empty, "projects no event"),
        (_NoVersion, "whole number from 1"),
        (_NotAnEvent, "int is not an event class"),
        (_TooMany, "(self, event) or (self, event, row)"),
        (_OtherRow, "the second parameter is the row: Row or Row | None"),
        (_OtherReturn, "returns its rows or None, not Pair"),
        (_NoKeyField, "Other has no field 'code' to find the row by"),
        (_KeyWithoutRow, "key= is for handlers that take the row"),
        (_Twice, "Made is already projected by _Twice.made"),
        (_Unannotated, "parameter 'event' has no annotation"),
        (_Later, "_Later.made: is async"),
        (_OfKeyless, "no field is the key"),
        (_OfMisnamed, "Misnamed.note: Indexed('cod') names 'cod', which is no field"),
        (_OfConfusing, "differ only in upper and lower case"),
        (_Undecorated, "_Undecorated.other: takes Other, but nothing calls it; write @on above it"),
        (_WithArguments, "_WithArguments is made without arguments, but missing a required argument: 'database'"),
    ],
)
def test_faults_are_told(projection, fault):
    """Each names the place and what to do."""
    assert any(fault in found for found in faults(projection)), faults(projection)


def test_all_faults_are_told_at_once():
    """A key that may be missing and one that has no exact value are two."""

    class Odd(Projection[OddKey]):
        pass

    assert len([fault for fault in faults(Odd) if "a key is a" in fault]) == 2
    assert any("projects no event" in fault for fault in faults(Odd))


def test_marks_are_equal_and_readable():
    """They are compared when annotations are read."""
    assert (repr(Key()), repr(Indexed()), repr(Indexed("a", "b"))) == ("Key()", "Indexed()", "Indexed('a', 'b')")
    assert {Key(), Key(), Indexed("a"), Indexed("a")} == {Key(), Indexed("a")}
    assert Indexed("a") != Indexed() != Key()
