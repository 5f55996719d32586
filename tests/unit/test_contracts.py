"""The contract lock: which changes break what is stored or sent, and what to do about each."""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from types import new_class
from typing import Annotated, Any, Literal

import msgspec
import pytest
from tests import domain, messages

from headwater.catalogue import Catalogue
from headwater.contracts import Change, check, freeze, read_lock, require_unchanged
from headwater.errors import ContractChanged, ContractError
from headwater.messages import Command, Event, Meta, Query, Tag, contract
from headwater.upcasting import upcast

Sku = Annotated[str, Tag("sku")]
INCIDENT = [("id", Annotated[str, Tag("incident")]), ("caller", str)]


def made(name, fields, *, kind=Event, version=1, aliases=(), namespace=None, **settings):
    """A message class with these fields, as code at another time might have it."""
    body = {**(namespace or {}), "__module__": __name__, "__annotations__": {field: hint for field, hint, *_ in fields}}
    body |= {field: default[0] for field, _, *default in fields if default}
    # Not msgspec.defstruct, which makes classes with its own metaclass only; queries have another.
    cls = new_class(name, (kind,), {"frozen": True, "kw_only": True, **settings}, lambda given: given.update(body))
    return contract(name, version=version, aliases=aliases)(cls)


def lifted(name, *versions):
    """Upcasters from these versions on."""
    return [upcast(name, from_version=version)(lambda stored: stored) for version in versions]


def changes(before, after, upcasters=()):
    """The changes from the lock of the messages before to those after."""
    return check(Catalogue.of(after, upcasters), freeze(Catalogue.of(before)))


def change(before, after, *, kind=Event):
    """The one change when only the type of a field changes."""
    (found,) = changes([made("It", [("x", before)], kind=kind)], [made("It", [("x", after)], kind=kind)])
    return found


def test_lock_is_the_same_for_the_same_contracts():
    """It does not depend on order, and ends as text files end."""
    one = [messages.OpenIncident, messages.Everything, messages.FindIncidents]
    lock = freeze(Catalogue.of(one))
    assert lock == freeze(Catalogue.of(reversed(one)))
    assert lock.endswith(b"}\n")
    locked = read_lock(lock).messages["OpenIncident"]
    assert (locked.kind, locked.version, locked.tags) == ("command", 1, ["incident"])
    assert locked.required == ["caller", "impact", "incident_id"]


def test_nothing_changed_is_no_change():
    """A catalogue agrees with its own lock, with every shape of field."""
    everything = [messages.OpenIncident, messages.Everything, messages.FindIncidents, domain.OrderPlaced]
    catalogue = Catalogue.of(everything)
    assert check(catalogue, freeze(catalogue)) == ()
    assert require_unchanged(catalogue, freeze(catalogue)) == ()


def test_words_about_a_message_are_no_contract():
    """A docstring, a title, an example or a default may change."""
    before = made("It", [("x", Annotated[int, Meta(title="X", examples=[1])], 3)], namespace={"__doc__": "One."})
    after = made("It", [("x", Annotated[int, Meta(description="y")], 4)], namespace={"__doc__": "Two."})
    assert changes([before], [after]) == ()


OLD = made("Opened", INCIDENT)

EVENTS = [
    ([], "removed", True, "aliases"),
    ([made("Opened", INCIDENT[:1])], "field-removed", True, "@upcast('Opened', from_version=1)"),
    ([made("Opened", [*INCIDENT, ("impact", int)])], "field-required", True, "give it a default"),
    ([made("Opened", [*INCIDENT, ("impact", int, 1)])], "field-added", False, ""),
    ([made("Opened", [INCIDENT[0], ("caller", int)])], "type-changed", True, "@contract('Opened', version=2)"),
    ([made("Opened", [INCIDENT[0], ("caller", str | None)])], "widened", False, ""),
    ([made("Opened", [("id", Annotated[str, Tag("case")]), INCIDENT[1]])], "tag-changed", True, "keep the tag"),
    ([made("Opened", [("id", str), INCIDENT[1]])], "tag-changed", True, "keep the tag"),
    ([made("Opened", [INCIDENT[0], ("caller", Annotated[str, Tag("caller")])])], "tag-changed", True, "keep the tag"),
    ([made("Created", INCIDENT, aliases=["Opened"])], "renamed", False, ""),
    ([made("Opened", INCIDENT, kind=Command)], "removed", True, "aliases"),
    ([made("Opened", INCIDENT, version=2)], "version-raised", True, "@upcast('Opened'"),
]


@pytest.mark.parametrize(("after", "kind", "breaking", "remedy"), EVENTS)
def test_change_of_an_event_is_judged(after, kind, breaking, remedy):
    """What is stored must stay readable, and found by its tags."""
    found = [change for change in changes([OLD], after) if change.message == "Opened" and change.kind != "added"]
    assert [(change.kind, change.breaking) for change in found] == [(kind, breaking)]
    assert remedy in found[0].remedy
    assert found[0].reason


def test_raised_version_with_upcasters_is_compatible():
    """Whatever else changed: upcasters lift what is stored."""
    after = [made("Opened", [INCIDENT[0], ("who", int)], version=3)]
    (found,) = changes([OLD], after, lifted("Opened", 1, 2))
    assert (found.kind, found.breaking) == ("version-raised", False)


def test_raised_version_does_not_bring_a_tag_back():
    """Tags are stored beside the body, and no upcaster touches them."""
    after = [made("Opened", [("id", str), INCIDENT[1]], version=2)]
    found = changes([OLD], after, lifted("Opened", 1))
    assert [(change.kind, change.breaking) for change in found] == [("version-raised", False), ("tag-changed", True)]


def test_lowered_version_breaks():
    """Events of the higher version are stored already."""
    before = Catalogue.of([made("Opened", INCIDENT, version=2)], lifted("Opened", 1))
    (found,) = check(Catalogue.of([OLD]), freeze(before))
    assert (found.kind, found.breaking) == ("version-lowered", True)


def test_lost_alias_breaks():
    """Events are stored under it."""
    (found,) = changes([made("Opened", INCIDENT, aliases=["Begun"])], [OLD])
    assert (found.message, found.kind, found.breaking) == ("Begun", "removed", True)


def test_new_message_is_told_and_breaks_nothing():
    """So that a review sees it."""
    (found,) = changes([], [OLD])
    assert found == Change("Opened", "", "added", breaking=False, reason="is a new event")


REQUEST = [("id", str), ("size", Annotated[int, Meta(ge=1, le=5)])]

REQUESTS = [
    ([], "removed", True),
    ([("id", str)], "field-removed", True),
    ([*REQUEST, ("more", int)], "field-required", True),
    ([*REQUEST, ("more", int, 1)], "field-added", False),
    ([REQUEST[0], ("size", Annotated[int, Meta(ge=2, le=5)])], "narrowed", True),
    ([REQUEST[0], ("size", Annotated[int, Meta(ge=1, le=9)])], "widened", False),
    ([REQUEST[0], ("size", REQUEST[1][1], 3)], "widened", False),
    ([("id", Annotated[str, Tag("it")]), REQUEST[1]], None, None),
]


@pytest.mark.parametrize("kind", [Command, Query])
@pytest.mark.parametrize(("fields", "change_kind", "breaking"), REQUESTS)
def test_change_of_a_command_or_query_is_judged(fields, change_kind, breaking, kind):
    """What callers send must stay accepted; tags are nobody's business but the app's."""
    after = [made("Ask", fields, kind=kind)] if fields else []
    found = [(change.kind, change.breaking) for change in changes([made("Ask", REQUEST, kind=kind)], after)]
    assert found == ([(change_kind, breaking)] if change_kind else [])


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Card(msgspec.Struct, tag=True):
    number: str


class Cash(msgspec.Struct, tag=True):
    coins: int


class Shown(msgspec.Struct):
    a: int


TYPES = [
    (int, str, "type-changed"),
    (int, float, "type-changed"),
    (str, datetime, "type-changed"),
    (datetime, str, "type-changed"),
    (int, int | None, "widened"),
    (int | None, int, "type-changed"),
    (int | str, int | str | None, "widened"),
    (int, Any, "widened"),
    (Any, int, "type-changed"),
    (Literal["a", "b"], Literal["a"], "narrowed"),
    (Literal["a"], Literal["a", "b"], "widened"),
    (Literal["a"], str, "widened"),
    (str, Literal["a"], "narrowed"),
    (Literal["a"], Literal["a"] | None, "widened"),
    (Literal["low"], Level, "widened"),
    (list[int], list[str], "type-changed"),
    (list[int], dict[str, int], "type-changed"),
    (dict[str, int], dict[str, str], "type-changed"),
    (tuple[int, int], tuple[int, str], "type-changed"),
    (Card | Cash, Card, "type-changed"),
    (Card, Card | Cash, "widened"),
    (Annotated[int, Meta(gt=1)], Annotated[int, Meta(ge=1)], "widened"),
    (Annotated[int, Meta(ge=1)], Annotated[int, Meta(gt=1)], "narrowed"),
    (Annotated[int, Meta(lt=5)], Annotated[int, Meta(lt=4)], "narrowed"),
    (Annotated[str, Meta(max_length=5)], Annotated[str, Meta(max_length=4)], "narrowed"),
    (Annotated[str, Meta(max_length=5)], str, "widened"),
    (str, Annotated[str, Meta(min_length=1)], "narrowed"),
    (str, Annotated[str, Meta(pattern="a")], "narrowed"),
    (Annotated[str, Meta(pattern="a")], str, "widened"),
    (list[int], Annotated[list[int], Meta(max_length=3)], "narrowed"),
    (list[int], frozenset[int], "narrowed"),
]


@pytest.mark.parametrize("kind", [Event, Command])
@pytest.mark.parametrize(("before", "after", "expected"), TYPES)
def test_change_of_a_type_is_judged_by_what_fitted_before(before, after, expected, kind):
    """Narrower and other types break, wider ones do not; events and commands alike."""
    found = change(before, after, kind=kind)
    assert (found.kind, found.breaking, found.pointer.split("/")[1]) == (expected, expected != "widened", "x")


def test_places_of_a_tuple_are_held_against_the_elements_of_a_list():
    """Each place breaks where its type is another one."""
    one, two = (made("It", [("x", hint)]) for hint in (tuple[int, str], list[str]))
    assert [found.pointer for found in changes([one], [two]) if found.breaking] == ["/x/0"]


def test_change_deep_inside_is_found_where_it_is():
    """References are followed; elements are told with a star."""
    inner = [msgspec.defstruct("Line", fields) for fields in ([("sku", str)], [("sku", Sku), ("price", int)])]
    one, two = (made("Placed", [("lines", list[line])]) for line in inner)
    found = changes([one], [two])
    assert [(change.pointer, change.kind) for change in found] == [
        ("/lines/*/sku", "tag-changed"),
        ("/lines/*/price", "field-required"),
    ]


def test_struct_that_begins_to_refuse_unknown_fields_is_narrower():
    """What was ignored before would be refused."""
    lenient, strict = (msgspec.defstruct("In", [("a", int)], forbid_unknown_fields=flag) for flag in (False, True))
    assert change(lenient, strict).kind == "narrowed"
    assert changes([made("It", [("x", strict)])], [made("It", [("x", lenient)])]) == ()


def test_class_that_contains_itself_can_be_compared():
    """A tree is followed once."""
    node = msgspec.defstruct("Node", [("name", int), ("inner", list[messages.Node])])
    found = changes([made("Grown", [("tree", messages.Node)])], [made("Grown", [("tree", node)])])
    assert {change.pointer for change in found} == {"/tree/name", "/tree/children", "/tree/inner"}


def test_breaking_change_is_raised_with_everything_that_broke():
    """The build fails with place, reason and remedy of each."""
    lock = freeze(Catalogue.of([OLD, made("Closed", INCIDENT)]))
    with pytest.raises(ContractChanged) as caught:
        require_unchanged(Catalogue.of([made("Opened", INCIDENT[:1])]), lock)
    assert len(caught.value.changes) == 2
    assert "Opened /caller: was removed" in str(caught.value)
    assert "@upcast('Opened', from_version=1)" in str(caught.value)


@pytest.mark.parametrize("lock", [b"", b"{", b"[]", b'{"format":1}', b"\xff", b"[" * 100_000])
def test_damaged_lock_file_is_told(lock):
    """It is not mistaken for an empty one."""
    with pytest.raises(ContractError, match="no contract lock file"):
        check(Catalogue.of([]), lock)


def test_lock_file_of_a_later_release_is_told():
    """A format that is not known is not guessed at."""
    lock = json.loads(freeze(Catalogue.of([]))) | {"format": 2}
    with pytest.raises(ContractError, match="format 2"):
        check(Catalogue.of([]), json.dumps(lock).encode())
