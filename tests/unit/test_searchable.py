"""What cannot be said of texts that are searched is a fault of the projection that fills them."""

from __future__ import annotations

from typing import Annotated

import pytest

from headwater.messages import Event
from headwater.read_models import Key, Projection, ReadModel, Searchable, on, projection_plan


class Happened(Event):
    code: str


class OfNumber(ReadModel):
    code: Annotated[str, Key()]
    size: Annotated[int, Searchable()]


class OfTwoLanguages(ReadModel):
    code: Annotated[str, Key(), Searchable(language="english")]
    text: Annotated[str, Searchable()]


class OfManyWeights(ReadModel):
    code: Annotated[str, Key(), Searchable(1)]
    b: Annotated[str, Searchable(2)]
    c: Annotated[str, Searchable(3)]
    d: Annotated[str, Searchable(4)]
    e: Annotated[str, Searchable(5)]


class OfNoWeight(ReadModel):
    code: Annotated[str, Key(), Searchable(0)]


class OfNoLanguage(ReadModel):
    code: Annotated[str, Key(), Searchable(language="klingon")]


class WithRelevance(ReadModel):
    code: Annotated[str, Key(), Searchable()]
    relevance: int


class WithNumber(ReadModel):
    code: Annotated[str, Key()]
    row__number: int


class WithHiddenColumn(ReadModel):
    code: Annotated[str, Key()]
    title__search: str


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (OfNumber, "only text is searched by its words"),
        (OfTwoLanguages, "searched in one language"),
        (OfManyWeights, "at most 4 different weights"),
        (OfNoWeight, "a weight is greater than 0"),
        (OfNoLanguage, "no language is called 'klingon'"),
        (WithRelevance, "has a relevance already"),
        (WithNumber, "call the field otherwise"),
        (WithHiddenColumn, "call the field otherwise"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_searched_is_a_fault(model, fault):
    """Told when the application is put together."""
    if model is OfNoLanguage:
        pytest.importorskip("snowballstemmer")

    class Rows(Projection[model]):
        @on
        def happened(self, event: Happened) -> model: ...

    Rows.happened.__annotations__ = {"event": Happened, "return": model}
    plan = projection_plan(Rows)
    assert fault in "; ".join(plan.faults)


def test_marks_are_equal_if_they_say_the_same():
    """As values are."""
    assert Searchable() == Searchable(1.0, language="simple")
    assert len({Searchable(), Searchable(2), Searchable(language="english"), Searchable()}) == 3
