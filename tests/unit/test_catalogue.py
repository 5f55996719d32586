"""The catalogue: names, versions, upcasters, and every fault at once."""

from __future__ import annotations

import doctest

import pytest

from headwater import catalogue as module
from headwater import upcasting
from headwater.catalogue import Catalogue
from headwater.errors import UnknownMessage
from headwater.messages import Command, Event, Query, contract
from headwater.upcasting import is_upcaster, upcast, upcasters_of


class OpenIncident(Command):
    pass


class FindIncidents(Query[int]):
    pass


@contract("IncidentOpened", version=3, aliases=["IncidentCreated"])
class Opened(Event):
    caller: str


@upcast("IncidentOpened", from_version=1)
def first(stored):
    return stored


@upcast("IncidentCreated", from_version=2)
def second(stored):
    return stored


def step(name):
    """An upcaster of the first version of that name."""
    return upcast(name, from_version=1)(lambda stored: stored)


CATALOGUE = Catalogue.of([OpenIncident, FindIncidents, Opened], [first, second])


def test_messages_are_listed_by_kind_and_canonical_name():
    """Each kind has its own table."""
    assert CATALOGUE.faults == ()
    assert CATALOGUE.commands == {"OpenIncident": OpenIncident}
    assert CATALOGUE.queries == {"FindIncidents": FindIncidents}
    assert CATALOGUE.events == {"IncidentOpened": Opened}
    assert (CATALOGUE.name_of(Opened), CATALOGUE.version_of(Opened)) == ("IncidentOpened", 3)


@pytest.mark.parametrize("name", ["OpenIncident", "open-incident", "open_incident", "openIncident"])
def test_command_is_found_in_any_spelling(name):
    """What is typed or stands in a path finds its class."""
    assert CATALOGUE.command_type(name) is OpenIncident


def test_event_is_found_by_every_name_it_had():
    """Aliases are names of the past; events have one spelling only."""
    assert CATALOGUE.event_type("IncidentCreated") is Opened
    assert CATALOGUE.knows_event("IncidentOpened")
    assert not CATALOGUE.knows_event("incident-opened")


@pytest.mark.parametrize(
    ("find", "name", "nearest"),
    [
        (CATALOGUE.command_type, "open-incidnt", "OpenIncident"),
        (CATALOGUE.query_type, "FindIncident", "FindIncidents"),
        (CATALOGUE.event_type, "IncidentOpend", "IncidentOpened"),
        (CATALOGUE.command_type, "zzz", None),
    ],
)
def test_unknown_name_is_told_with_the_nearest(find, name, nearest):
    """A typing mistake is answered with what was probably meant."""
    with pytest.raises(UnknownMessage) as caught:
        find(name)
    assert caught.value.nearest == nearest


def test_a_name_like_no_other_is_told_with_all_there_are():
    """Who guesses learns what to choose from, as far as that can be read."""
    with pytest.raises(UnknownMessage) as caught:
        CATALOGUE.query_type("zzz")
    assert caught.value.remedy == f"there are: {', '.join(sorted(CATALOGUE.queries))}"
    many = UnknownMessage("command", "zzz", known=[f"C{number:02}" for number in range(32)])
    assert many.remedy.endswith("C28, C29 and 2 more")


def test_union_of_messages_is_opened():
    """A union stands for its members."""
    assert list(Catalogue.of([OpenIncident | FindIncidents]).commands) == ["OpenIncident"]


def test_steps_lead_from_a_stored_version_to_todays():
    """They come in order, none are needed for today's version, and there is no way from the future."""
    assert CATALOGUE.steps(Opened, 1) == (first, second)
    assert CATALOGUE.steps(Opened, 3) == ()
    assert CATALOGUE.steps(Opened, 4) is None
    assert CATALOGUE.steps(Opened, 0) is None


def test_decorated_function_is_unchanged_and_may_serve_twice():
    """Decorators only mark; one function may be the step of several events."""
    twice = upcast("A", from_version=1)(upcast("B", from_version=2)(lambda stored: stored))
    assert [(step.name, step.from_version) for step in upcasters_of(twice)] == [("B", 2), ("A", 1)]
    assert is_upcaster(twice)
    assert not is_upcaster(len)


def named(name, *, version=1, aliases=(), kind=Event):
    """A message class of that contract."""
    return contract(name, version=version, aliases=aliases)(type("Made", (kind,), {}))


@pytest.mark.parametrize(
    ("messages", "upcasters", "part"),
    [
        ([named("A"), named("A")], [], "the name 'A' is used twice"),
        ([named("A"), named("B", aliases=["A"])], [], "the name 'A' is used twice"),
        ([named("OpenIt", kind=Command), named("open-it", kind=Command)], [], "used twice"),
        ([named("A", kind=Command), named("A")], [], "used twice"),
        ([named("A b")], [], "cannot be a message's name"),
        ([named("A", version=0)], [], "version 0 is below 1"),
        ([int], [], "int is no command, query or event"),
        ([Event], [], "Event is no command"),
        ([Opened], [first], "nothing upcasts version 2"),
        ([Opened], [second], "nothing upcasts version 1"),
        (
            [Opened],
            [first, second, step("IncidentOpened")],
            "already upcast by first",
        ),
        ([named("A")], [step("A")], "which is at version 1"),
        ([named("Opened")], [step("Openend")], "did you mean Opened?"),
        ([], [step("Q")], "no event is called 'Q'"),
    ],
)
def test_what_does_not_fit_is_a_fault(messages, upcasters, part):
    """Faults are lines of text for the one error of the app; none is raised."""
    faults = Catalogue.of(messages, upcasters).faults
    assert [fault for fault in faults if part in fault]


def test_every_fault_is_told_at_once():
    """Several faults give several lines."""
    assert len(Catalogue.of([named("A"), named("A"), named("B", version=3), int]).faults) == 4


@pytest.mark.parametrize("checked", [module, upcasting])
def test_examples_in_docstrings_run(checked):
    """What a docstring shows is true."""
    assert doctest.testmod(checked).attempted
    assert not doctest.testmod(checked).failed
