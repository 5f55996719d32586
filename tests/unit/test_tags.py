"""Tags: what a message is about, wherever its fields stand."""

from __future__ import annotations

import dataclasses
import doctest
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal, NamedTuple, NewType, TypedDict
from uuid import UUID

import msgspec
import pytest

from headwater import annotations, tags
from headwater.errors import ContractError, WiringError
from headwater.messages import Event, Tag
from headwater.tags import TagField, tag_faults, tag_fields, tag_plan, tag_value

IncidentId = Annotated[str, Tag("incident")]
Number = NewType("Number", int)


class Level(Enum):
    HIGH = "high"
    LOW = 3


class Plain(Event):
    note: str
    incident_id: IncidentId


class Pair(Event):
    course: Annotated[str, Tag("course")]
    student: Annotated[str, Tag("student")]


class Merged(Event):
    source: IncidentId
    target: IncidentId


class Maybe(Event):
    inside: Annotated[str | None, Tag("a")] = None
    outside: Annotated[str, Tag("b")] | None = None
    unset: Annotated[str | msgspec.UnsetType, Tag("c")] = msgspec.UNSET


class Lists(Event):
    on_elements: list[IncidentId]
    on_list: Annotated[tuple[str, ...], Tag("incident")]
    maybe: Annotated[frozenset[str] | None, Tag("group")] = None


@dataclasses.dataclass
class Box:
    item: Annotated[int, Tag("item")]


class Typed(Event):
    number: Annotated[Number, Tag("number")]
    kind: Annotated[Literal["a", "b"], Tag("kind")]


class Pallet(NamedTuple):
    place: Annotated[str, Tag("place")]


class Truck(TypedDict, total=False):
    plate: Annotated[str, Tag("truck")]


class Line(msgspec.Struct):
    product: Annotated[UUID, Tag("product")]
    boxes: list[Box] = msgspec.field(default_factory=list)


class Nested(Event):
    lines: list[Line]
    first: Line | None = None
    choice: Line | Box | None = None
    pallet: Pallet | None = None
    truck: Truck | None = None
    by_name: dict[IncidentId, Box] = msgspec.field(default_factory=dict)
    pair: tuple[Annotated[str, Tag("left")], Annotated[str, Tag("right")]] = ("l", "r")


class Tree(Event):
    name: Annotated[str, Tag("node")]
    children: list[Tree] = msgspec.field(default_factory=list)


class Wrong(Event):
    price: Annotated[Decimal, Tag("price")]
    flag: Annotated[bool, Tag("flag")]
    line: Annotated[Line, Tag("line")]
    key: Annotated[str, Tag("idempotency")]
    fine: IncidentId


A, B = UUID(int=1), UUID(int=2)

VALUES = [
    ("INC1", "INC1"),
    (7, "7"),
    (A, str(A)),
    (Level.HIGH, "high"),
    (Level.LOW, "3"),
    (date(2024, 5, 1), "2024-05-01"),
    (datetime(2024, 5, 1, 12, tzinfo=UTC), "2024-05-01T12:00:00+00:00"),
    (datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))), "2024-05-01T12:00:00+00:00"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_value_has_one_text_form(value, text):
    """Equal values give equal tags: a moment is told in UTC, an enum by its value."""
    assert tag_value(value) == text


def test_plain_field_gives_one_tag():
    """The common message has one plain field."""
    assert tag_plan(Plain)(Plain(note="n", incident_id="INC1")) == ("incident:INC1",)


def test_two_fields_give_two_tags():
    """Different tags come in field order."""
    assert tag_plan(Pair)(Pair(student="s", course="c")) == ("course:c", "student:s")


def test_same_tag_on_two_fields_gives_both_values_once():
    """Two fields with one tag name give two tags, equal values one."""
    assert tag_plan(Merged)(Merged(source="INC1", target="INC2")) == ("incident:INC1", "incident:INC2")
    assert tag_plan(Merged)(Merged(source="INC1", target="INC1")) == ("incident:INC1",)


@pytest.mark.parametrize("name", ["", " ", "a b", "a:b", "a\n", "\u0085", 5, None])
def test_name_of_a_tag_is_a_plain_word(name):
    """Others would give tags that no store takes, or that cannot be told from others."""
    with pytest.raises(ContractError, match="a plain word"):
        Tag(name)


def test_absent_value_gives_no_tag():
    """None and UNSET give none, wherever the tag stands."""
    assert tag_plan(Maybe)(Maybe()) == ()
    assert tag_plan(Maybe)(Maybe(inside="1", outside="2", unset="3")) == ("a:1", "b:2", "c:3")


def test_list_gives_a_tag_per_element():
    """Marked elements and marked lists mean the same."""
    event = Lists(on_elements=["INC1", "INC2"], on_list=("INC2", "INC3"), maybe=frozenset({"g"}))
    assert tag_plan(Lists)(event) == ("incident:INC1", "incident:INC2", "incident:INC3", "group:g")


def test_nested_values_give_their_tags():
    """Structs, dataclasses, named tuples, typed dicts, unions, mappings and tuples are looked into."""
    event = Nested(
        lines=[Line(A, [Box(1)]), Line(B)],
        first=Line(A),
        choice=Box(2),
        pallet=Pallet("p"),
        truck={"plate": "t"},
        by_name={"INC1": Box(3)},
    )
    assert tag_plan(Nested)(event) == (
        *(f"product:{A}", "item:1", f"product:{B}", "item:2", "place:p", "truck:t", "incident:INC1", "item:3"),
        *("left:l", "right:r"),
    )
    assert tag_plan(Nested)(Nested(lines=[], truck={})) == ("left:l", "right:r")


def test_class_that_contains_itself_is_followed():
    """A tree gives the tags of every node."""
    assert tag_plan(Tree)(Tree(name="a", children=[Tree(name="b")])) == ("node:a", "node:b")


def test_new_types_and_literals_are_what_they_stand_for():
    """NewType and Literal of text or numbers may be tagged."""
    assert tag_plan(Typed)(Typed(number=Number(3), kind="a")) == ("number:3", "kind:a")


def test_unsupported_types_are_all_reported():
    """A tag on a type without a text form is a fault with its place, not a crash later."""
    faults = tag_faults(Wrong)
    assert [fault.split(":")[0] for fault in faults] == ["Wrong.price", "Wrong.flag", "Wrong.line", "Wrong.key"]
    assert "Decimal" in faults[0]
    with pytest.raises(WiringError) as caught:
        tag_plan(Wrong)
    assert caught.value.faults == faults


def test_unresolvable_annotations_are_a_fault():
    """A type that cannot be found is named, and gives no fields."""

    class Hidden:
        pass

    class Lost(Event):
        hidden: Hidden

    assert "Hidden" in tag_faults(Lost)[0]
    assert tag_fields(Lost) == ()


def test_fields_name_top_level_tags():
    """What an aggregate starts from: field, tag, and whether it holds many."""
    assert tag_fields(Lists) == (
        TagField("on_elements", "incident", many=True),
        TagField("on_list", "incident", many=True),
        TagField("maybe", "group", many=True),
    )
    assert tag_fields(Maybe)[:2] == (TagField("inside", "a", many=False), TagField("outside", "b", many=False))
    assert [field.field for field in tag_fields(Nested)] == ["pair", "pair"]


@pytest.mark.parametrize("module", [annotations, tags])
def test_examples_in_docstrings_run(module):
    """What a docstring shows is true."""
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
