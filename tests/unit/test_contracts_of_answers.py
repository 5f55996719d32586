"""The contract lock of what queries are answered: what is sent has to stay what readers were told."""

from __future__ import annotations

import json
from dataclasses import make_dataclass
from types import new_class
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
import pydantic
import pytest

from headwater.catalogue import Catalogue
from headwater.contracts import check, freeze, read_lock
from headwater.messages import Meta, Query, Tag
from headwater.queries.listing import DetailQuery, ListQuery
from headwater.read_models import Key, Page, ReadModel


def row(*fields, base=msgspec.Struct, **settings):
    """A row type with these fields, as code at another time might have it."""
    body = {"__annotations__": {name: hint for name, hint, *_ in fields}}
    body |= {name: default[0] for name, _, *default in fields if default}
    return new_class("Row", (base,), {"frozen": True, "kw_only": True, **settings}, lambda space: space.update(body))


def asked(answer, kind=Query):
    """The catalogue of an app with one query that is answered so."""
    return Catalogue.of([new_class("Ask", (kind[answer],), {"frozen": True, "kw_only": True})])


def changes(before, after):
    """The changes from the lock of a query with the one answer to that with the other."""
    return check(asked(after), freeze(asked(before)))


def judged(before, after):
    """Kind and verdict of the one change when the type of a field that is always there changes."""
    (found,) = changes(Page[row(("x", before))], Page[row(("x", after))])
    assert (found.message, found.pointer.split("/")[:4], found.answer) == ("Ask", ["", "items", "*", "x"], True)
    return found.kind, found.breaking


WIDER = [
    (int, int | None, "widened"),
    (int, Any, "widened"),
    (int, int | str, "widened"),
    (Literal["a"], Literal["a", "b"], "widened"),
    (Literal["a"], str, "widened"),
    (Annotated[int, Meta(le=3)], Annotated[int, Meta(le=4)], "widened"),
    (Annotated[str, Meta(pattern="a")], Annotated[str, Meta(pattern="b")], "narrowed"),
    (int, str, "type-changed"),
    (int | str, int | bool, "type-changed"),
    (int | None, str | None, "type-changed"),
    (list[int], list[str], "type-changed"),
    (list[int], int, "type-changed"),
]


@pytest.mark.parametrize(("before", "after", "kind"), WIDER)
def test_answer_that_may_be_what_it_was_not_breaks(before, after, kind):
    """Its readers do not count on that."""
    assert judged(before, after) == (kind, True)


NARROWER = [
    (int | None, int, "type-changed"),
    (Any, int, "type-changed"),
    (int | str, int, "type-changed"),
    (Literal["a", "b"], Literal["a"], "narrowed"),
    (str, Literal["a"], "narrowed"),
    (Annotated[int, Meta(le=4)], Annotated[int, Meta(le=3)], "narrowed"),
    (str, Annotated[str, Meta(pattern="a")], "narrowed"),
]


@pytest.mark.parametrize(("before", "after", "kind"), NARROWER)
def test_answer_that_is_told_more_closely_is_compatible(before, after, kind):
    """Whoever reads the wider one reads this as well: the reverse of what holds for a request."""
    assert judged(before, after) == (kind, False)


X = ("x", int)
FIELDS = [
    (row(X, ("y", int)), row(X), "field-removed", True),
    (row(X, ("y", int, 0)), row(X), "field-removed", True),
    (row(X, ("y", int | msgspec.UnsetType, msgspec.UNSET)), row(X), "field-removed", True),
    (row(X), row(X, ("y", int)), "field-required", False),
    (row(X), row(X, ("y", int | msgspec.UnsetType, msgspec.UNSET)), "field-added", False),
    (row(X, forbid_unknown_fields=True), row(X, ("y", int), forbid_unknown_fields=True), "field-required", True),
    (row(X), row(("x", int | msgspec.UnsetType, msgspec.UNSET)), "widened", True),
    (row(("x", int | msgspec.UnsetType, msgspec.UNSET)), row(X), "field-required", False),
    (row(("x", int, 0)), row(("x", int, 0), omit_defaults=True), "widened", True),
    (row(X), row(("x", int, 0)), None, None),
    (row(("x", int, 0)), row(X), None, None),
    (row(X), row(("x", Annotated[int, Tag("x")])), None, None),
]


@pytest.mark.parametrize(("before", "after", "kind", "breaking"), FIELDS)
def test_field_of_an_answer_may_be_added_and_not_taken_away(before, after, kind, breaking):
    """Nor left out at times. A field with a default is always sent, so that a default is nobody's business."""
    found = [(change.kind, change.breaking) for change in changes(before, after)]
    assert found == ([(kind, breaking)] if kind else [])


class Sometimes(TypedDict):
    x: NotRequired[int]


class Always(TypedDict):
    x: int


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Always, Sometimes),
        (make_dataclass("Row", [("x", int, 0)]), make_dataclass("Row", [("y", int, 0)])),
        (pydantic.create_model("Row", x=(int, 0)), pydantic.create_model("Row", x=(int | None, None))),
        (row(X) | None, row(("x", str)) | None),
        (list[int], dict[str, int]),
        (int, object),
    ],
)
def test_answers_of_every_make_are_compared(before, after):
    """Whatever class they are written as; one without a JSON form may be anything."""
    assert any(change.breaking for change in changes(before, after))
    assert changes(before, before) == ()


def test_declared_queries_are_answered_with_their_rows():
    """Lists, details and reports have answers without a handler."""
    key = ("id", Annotated[str, Key()])
    one, two = (row(key, *more, base=ReadModel) for more in ([("x", int)], []))
    (listed,) = check(asked(two, ListQuery), freeze(asked(one, ListQuery)))
    assert (listed.pointer, listed.kind, listed.breaking) == ("/items/*/x", "field-removed", True)
    (detail,) = check(asked(two, DetailQuery), freeze(asked(one, DetailQuery)))
    assert (detail.pointer, detail.kind, detail.breaking) == ("/x", "field-removed", True)


def test_a_breaking_answer_comes_with_a_reason_and_a_remedy():
    """It tells the answer from the query, which may have a field of that name."""
    (found,) = changes(row(X, ("y", int)), row(X))
    assert str(found) == (
        "Ask (answer) /y: was removed, and who reads the answer counts on what was agreed; "
        "keep the field, or make a new query beside this one"
    )


def test_a_lock_without_answers_is_read_and_says_so():
    """One that an earlier release wrote: nothing breaks, and it is plain what was not compared."""
    lock = json.loads(freeze(asked(row(X))))
    del lock["answer_types"], lock["messages"]["Ask"]["answer"]
    old = json.dumps(lock).encode()
    assert read_lock(old).messages["Ask"].answer is None
    (found,) = check(asked(row(("x", str))), old)
    assert (found.message, found.kind, found.breaking, found.remedy) == ("Ask", "answer-unknown", False, "freeze again")
