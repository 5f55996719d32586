"""The codec: events with their envelope, metadata, commands, queries."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

import pytest
from tests import messages as m

from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.errors import (
    ContractError,
    HandlerContractError,
    InvalidMessage,
    MalformedMessage,
    UndecodableEvent,
    UnknownMessage,
)
from headwater.event_store.protocol import RecordedEvent
from headwater.messages import Command, Event, Metadata, Tag, UnknownEvent, contract
from headwater.upcasting import upcast


@contract("Lent", version=3, aliases=["BookLent"])
class Lent(Event):
    book: Annotated[str, Tag("book")]
    reader: str
    days: int = 14


@upcast("BookLent", from_version=1)
def who_is_reader(stored):
    stored["reader"] = stored.pop("who")
    return stored


@upcast("Lent", from_version=2)
def weeks_are_days(stored):
    return {**stored, "days": stored.pop("weeks", 2) * 7}


CODEC = Codec(Catalogue.of([m.OpenIncident, m.IncidentOpened, m.FindIncidents, Lent], [who_is_reader, weeks_are_days]))
OPENED = m.IncidentOpened(incident_id="INC1", caller="c7", impact=2)


def stored(name, data, *, version=1, metadata=b"{}"):
    """An event as the log would hold it."""
    return RecordedEvent(7, name, version, data, (), metadata, UUID(int=9).bytes, 1_700_000_000_000_000)


def test_event_goes_out_with_its_name_version_and_tags():
    """The body is plain JSON; everything else stands in the envelope."""
    new = CODEC.encode_event(OPENED, b'{"actor":"ann"}', ("idempotency:k", "incident:INC1"))
    assert (new.type, new.version, new.metadata) == ("IncidentOpened", 1, b'{"actor":"ann"}')
    assert json.loads(new.data) == {"incident_id": "INC1", "caller": "c7", "impact": 2}
    assert new.tags == ("incident:INC1", "idempotency:k")


def test_event_that_its_class_refuses_is_never_stored():
    """What a decider made wrongly is refused before it is written, with every fault."""
    wrong = m.IncidentOpened(incident_id=5, caller="c7", impact=9)
    with pytest.raises(HandlerContractError) as caught:
        CODEC.encode_event(wrong)
    assert [error.pointer for error in caught.value.errors] == ["/incident_id", "/impact"]


@contract("IncidentOpened")
class Impostor(Event):
    """It takes another one's name."""


class Stray(Event):
    """Nobody named it."""


@pytest.mark.parametrize("stray", [Stray(), Impostor()])
def test_event_that_nobody_could_read_is_never_stored(stray):
    """A class that is no part of the application is no contract, be its name what it may."""
    with pytest.raises(HandlerContractError, match="does not know"):
        CODEC.encode_event(stray)


def test_event_without_a_json_form_is_never_stored():
    """A value that cannot be encoded is told by its field."""
    with pytest.raises(HandlerContractError, match="/caller"):
        CODEC.encode_event(m.IncidentOpened(incident_id="INC1", caller=object(), impact=2))


def test_unknown_event_keeps_its_bytes():
    """What no class stands for survives reading, even if it is no JSON."""
    assert CODEC.decode(stored("FromElsewhere", b"\xff\x00", version=4)) == UnknownEvent(
        name="FromElsewhere", version=4, data=b"\xff\x00"
    )


@pytest.mark.parametrize(
    ("name", "version", "data"),
    [
        ("BookLent", 1, b'{"book":"b","who":"ann","weeks":3}'),
        ("Lent", 2, b'{"book":"b","reader":"ann","weeks":3}'),
        ("Lent", 3, b'{"book":"b","reader":"ann","days":21}'),
    ],
)
def test_old_event_is_lifted_to_todays_version(name, version, data):
    """Under any name it had and at any version, it comes back as the class of today."""
    assert CODEC.decode(stored(name, data, version=version)) == Lent(book="b", reader="ann", days=21)


@pytest.mark.parametrize(
    ("name", "version", "data", "pointer", "part"),
    [
        ("IncidentOpened", 1, b'{"incident_id":"INC1","caller":"c7","impact":7}', "/impact", "<= 3"),
        ("IncidentOpened", 1, b"{", "", "JSON"),
        ("Lent", 2, b"{", "", "JSON"),
        ("Lent", 1, b'{"book":"b"}', "", "who_is_reader failed"),
        ("Lent", 2, b'{"book":"b","reader":3}', "/reader", "Expected str"),
        ("Lent", 4, b"{}", "", "newer release"),
        ("Lent", 0, b"{}", "", "nothing upcasts"),
    ],
)
def test_event_that_does_not_fit_is_told_with_its_place(name, version, data, pointer, part):
    """Position, type and pointer say where to look."""
    with pytest.raises(UndecodableEvent, match=part) as caught:
        CODEC.decode(stored(name, data, version=version))
    assert (caught.value.position, caught.value.type, caught.value.pointer) == (7, name, pointer)
    assert caught.value.remedy


def test_upcaster_that_returns_nonsense_is_told():
    """A step that forgets to return is found at the event, not later."""
    codec = Codec(Catalogue.of([Lent], [upcast("Lent", from_version=1)(lambda stored: None), weeks_are_days]))
    with pytest.raises(UndecodableEvent, match="failed"):
        codec.decode(stored("Lent", b"{}"))


def test_recorded_event_carries_its_envelope():
    """Position, time and metadata come with the event; id and time are the envelope's own."""
    body = CODEC.encode(OPENED)
    recorded = CODEC.recorded(stored("IncidentOpened", body, metadata=b'{"actor":"ann","extra":{"a":1}}'))
    assert (recorded.event, recorded.position) == (OPENED, 7)
    assert recorded.recorded_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == recorded.metadata.recorded_at
    assert (recorded.metadata.id, recorded.metadata.actor, recorded.metadata.extra) == (UUID(int=9), "ann", {"a": 1})


def test_metadata_leaves_out_what_the_envelope_carries():
    """Id and time are not stored twice, and what is not said is not written."""
    metadata = Metadata(actor="ann", id=UUID(int=1), recorded_at=datetime(2024, 1, 1, tzinfo=UTC))
    assert CODEC.encode_metadata(metadata) == b'{"actor":"ann"}'


def test_extra_metadata_of_two_events_is_not_shared():
    """Changing one event's metadata leaves the next one's alone, though the bytes are read once."""
    event = stored("IncidentOpened", CODEC.encode(OPENED), metadata=b'{"extra":{"a":1}}')
    CODEC.metadata_of(event).extra["a"] = 2
    assert CODEC.metadata_of(event).extra == {"a": 1}


def test_many_kinds_of_metadata_are_kept_up_to_a_bound():
    """The memory of metadata does not grow with the log."""
    for number in range(3000):
        CODEC.metadata_of(stored("X", b"{}", metadata=b'{"correlation":"%d"}' % number))
    assert len(CODEC._seen_metadata) <= 1024


def test_metadata_of_another_kind_is_told():
    """Metadata that is not Headwater's is a typed error with the position."""
    with pytest.raises(UndecodableEvent, match="metadata is not valid: /actor"):
        CODEC.metadata_of(stored("X", b"{}", metadata=b'{"actor":5}'))


@pytest.mark.parametrize("name", ["OpenIncident", "open-incident", m.OpenIncident])
@pytest.mark.parametrize("wrap", [json.dumps, lambda values: json.dumps(values).encode(), dict])
def test_command_comes_from_text_bytes_or_values(name, wrap):
    """By name in any spelling or by class."""
    values = {"incident_id": "INC1", "caller": "c7", "impact": 2, "channel": "mail"}
    command = CODEC.decode_command(name, wrap(values))
    assert command == m.OpenIncident(incident_id="INC1", caller="c7", impact=2, channel=m.Channel.MAIL)


def test_command_from_values_is_as_strict_as_from_text():
    """Text is no number in a command."""
    with pytest.raises(InvalidMessage) as caught:
        CODEC.decode_command("OpenIncident", {"incident_id": "INC1", "caller": "c7", "impact": "2"})
    assert [error.pointer for error in caught.value.errors] == ["/impact"]


def test_unknown_command_is_told():
    """With the nearest name."""
    with pytest.raises(UnknownMessage, match="did you mean OpenIncident"):
        CODEC.decode_command("open-incidents", b"{}")


def test_query_comes_from_parameters():
    """Text is read as the field's type; dots, brackets and repeated names do what they say."""
    parameters = {"status": "open", "impacts": ["1", "2"], "since": "2024-05-01", "urgent": "true", "page.size": "20"}
    query = CODEC.decode_query("find-incidents", parameters)
    assert query == m.FindIncidents(
        status="open", impacts=[1, 2], since=date(2024, 5, 1), urgent=True, page=m.Window(size=20)
    )


def test_query_comes_from_json_strictly():
    """In a body, types are what they are."""
    assert CODEC.decode_query("FindIncidents", b'{"impacts":[1]}') == m.FindIncidents(impacts=[1])
    with pytest.raises(InvalidMessage, match="/page/size"):
        CODEC.decode_query("FindIncidents", b'{"page":{"size":"20"}}')


def test_message_made_in_python_is_checked_like_any_other():
    """Constructors check nothing; this does, and every fault comes at once."""
    assert CODEC.validated(m.OpenIncident(incident_id="INC1", caller="c7", impact=2)).impact == 2
    with pytest.raises(InvalidMessage) as caught:
        CODEC.validated(m.OpenIncident(incident_id=1, caller="c7", impact=9, lines=[m.Line("", 0)]))
    pointers = [error.pointer for error in caught.value.errors]
    assert pointers == ["/incident_id", "/impact", "/lines/0/sku", "/lines/0/quantity"]


def test_message_with_a_value_that_is_no_json_is_told():
    """A value nobody can encode is a fault of its field."""
    with pytest.raises(InvalidMessage, match="/caller"):
        CODEC.validated(m.OpenIncident(incident_id="INC1", caller=object(), impact=2))


def test_half_a_surrogate_pair_is_a_fault_of_its_field():
    """A command line gives one for a byte that is no UTF-8. It is text, but no text that can be stored."""
    with pytest.raises(InvalidMessage) as caught:
        CODEC.validated(m.OpenIncident(incident_id="INC1", caller="\udcff", impact=9))
    assert [error.pointer for error in caught.value.errors] == ["/caller", "/impact"]


@pytest.mark.parametrize(
    ("field", "value"), [("actor", 7), ("tenant", ["t1"]), ("correlation", object()), ("causation", "\udcff")]
)
def test_metadata_that_could_not_be_read_again_is_not_written(field, value):
    """What is stored stays: one event with a number for an actor would stop every reader of the log."""
    with pytest.raises(InvalidMessage) as caught:
        CODEC.encode_metadata(Metadata(command="OpenIncident", **{field: value}))
    assert [error.pointer for error in caught.value.errors] == [f"/{field}"]


def test_a_class_in_the_place_of_a_message_is_told():
    """Whoever forgets the parentheses learns it from a typed error."""
    with pytest.raises(ContractError, match="is not a message"):
        CODEC.validated(m.OpenIncident)


def test_bytes_that_are_not_json_are_malformed():
    """It is not a fault of any field."""
    with pytest.raises(MalformedMessage):
        CODEC.decode_command("OpenIncident", b"{")


def test_canonical_form_does_not_depend_on_order():
    """Digests need one form for one content."""
    assert CODEC.encode_canonical({"b": 1, "a": {"d": 1, "c": 2}}) == b'{"a":{"c":2,"d":1},"b":1}'


def test_schema_of_a_message_is_at_hand():
    """The codec gives the schema of what it decodes."""
    assert CODEC.json_schema(m.IncidentOpened)["required"] == ["incident_id", "caller", "impact"]


class Measured(Event):
    degrees: float | None = None
    exact: float = 0.0
    more: Any = None


class Measure(Command):
    degrees: float | None = None
    exact: float = 0.0
    more: Any = None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("pointer", "of"),
    [
        ("/degrees", lambda number: {"degrees": number}),
        ("/exact", lambda number: {"exact": number}),
        ("/more/of/1", lambda number: {"more": {"of": [1, number]}}),
    ],
    ids=["optional", "required", "anything"],
)
def test_a_number_that_json_would_turn_into_nothing_is_told(number, pointer, of):
    """JSON has null in the place of NaN; where ``None`` may stand, it would be taken for that."""
    codec = Codec(Catalogue.of([Measured, Measure]))
    for _ in range(2):  # what is known of a class by now changes nothing
        with pytest.raises(HandlerContractError, match="is no number that can be stored") as refused:
            codec.encode_event(Measured(**of(number)))
        assert [fault.pointer for fault in refused.value.errors] == [pointer]
        with pytest.raises(InvalidMessage) as invalid:
            codec.validated(Measure(**of(number)))
        assert [fault.pointer for fault in invalid.value.errors] == [pointer]
        whole = of(1.5)
        assert codec.validated(Measure(**whole)) == Measure(**whole)
        assert codec.decode(stored("Measured", codec.encode_event(Measured(**whole)).data)) == Measured(**whole)


def test_canonical_form_knows_keys_that_are_no_text():
    """A dict by numbers has an order too, so that its command may carry an idempotency key."""
    one, other = {2: "b", 1: {"y": 1, "x": 2}}, {1: {"x": 2, "y": 1}, 2: "b"}
    assert CODEC.encode_canonical(one) == CODEC.encode_canonical(other) == b'{"1":{"x":2,"y":1},"2":"b"}'
