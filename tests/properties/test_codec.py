"""Laws of the codec: what is valid comes back, what is not is explained, and the two ways never disagree."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import messages as m

from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.errors import InvalidMessage, MessageError
from headwater.event_store.protocol import RecordedEvent
from headwater.testing import strategies
from headwater.validation import explain_json, explain_values

CODEC = Codec(Catalogue.of([m.OpenIncident, m.IncidentOpened, m.Everything, m.FindIncidents]))
NOTHING = ValueError("nothing was wrong")

slowly = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
)
names = st.sampled_from(
    ["incident_id", "caller", "impact", "lines", "payment", "type", "sku", "quantity", "tree", "name"]
)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=3), inner, max_size=6),
    max_leaves=12,
)


def stored(new):
    """A new event as the log would hold it."""
    return RecordedEvent(1, new.type, new.version, new.data, new.tags, new.metadata, new.id.bytes, 0)


@slowly
@given(strategies.messages(m.Everything))
def test_event_comes_back_as_it_was(event):
    """Encoding and decoding an event of any shape changes nothing."""
    assert CODEC.decode(stored(CODEC.encode_event(event))) == event


@slowly
@given(strategies.messages(m.OpenIncident))
def test_command_comes_back_as_it_was(command):
    """Over the wire or checked in place, a valid command stays what it is."""
    assert CODEC.decode_command("open-incident", CODEC.encode(command)) == command
    assert CODEC.validated(command) == command


@slowly
@given(documents)
def test_refused_json_has_a_fault_and_accepted_json_has_none(document):
    """The slow path finds a fault exactly where the fast path refuses."""
    body = json.dumps(document).encode()
    refusal = refused(lambda: CODEC.decode_command("OpenIncident", body))
    if refusal is None:
        assert [fault.detail for fault in explain_json(m.OpenIncident, "it", body, NOTHING).errors] == [str(NOTHING)]
    else:
        assert refusal.errors
        assert all(fault.pointer == "" or fault.pointer.startswith("/") for fault in refusal.errors)


def refused(decode):
    """The refusal of what is decoded, or ``None``. Any other error goes through."""
    try:
        decode()
    except InvalidMessage as error:
        return error
    return None


@slowly
@given(strategies.messages(m.OpenIncident), st.data())
def test_one_damaged_member_is_found_where_it_is(command, data):
    """Whatever replaces a member, every fault lies in that member."""
    values = json.loads(CODEC.encode(command))
    name = data.draw(st.sampled_from(sorted(values)))
    values[name] = data.draw(documents)
    refusal = refused(lambda: CODEC.decode_command("OpenIncident", json.dumps(values)))
    assert refusal is None or all(fault.pointer.startswith(f"/{name}") for fault in refusal.errors)


@slowly
@given(st.binary(max_size=40) | st.text(max_size=40))
def test_any_bytes_are_answered_with_a_message_error(body):
    """Nothing but a typed error comes out, whatever comes in."""
    with pytest.raises(MessageError):
        CODEC.decode_command("OpenIncident", body)


@slowly
@given(
    st.dictionaries(st.text(max_size=8) | st.sampled_from(["page.size", "page[cursor]", "impacts", "since"]), leaves)
)
def test_any_parameters_make_a_query_or_a_message_error(parameters):
    """A query string is a query, or is refused with a typed error."""
    refusal = refused(lambda: CODEC.decode_query("find-incidents", parameters))
    assert refusal is None or refusal.errors


@slowly
@given(strategies.messages(m.OpenIncident))
def test_values_that_fit_have_no_fault(command):
    """The slow path on plain values agrees with the fast one too."""
    values = msgspec.to_builtins(command)
    fault = explain_values(m.OpenIncident, "it", values, NOTHING, strict=True)
    assert [error.detail for error in fault.errors] == ["nothing was wrong"]
