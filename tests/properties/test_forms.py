"""A law of forms: what a form shows of a command, sent as it stands, is that command."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ui.shop import Address, EveryKind, app

from headwater.errors import InvalidMessage
from headwater.foreign import decode_foreign, encode_foreign
from headwater.testing import strategies
from headwater.ui.controls import form_of
from headwater.ui.entered import Entered, entered_of, values_of
from headwater.ui.inputs import inputs_of
from headwater.ui.names import Labels

INPUTS = inputs_of(EveryKind, Labels({}))
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(strategies.messages(EveryKind))
def test_a_form_sent_as_it_is_shown_is_the_command_that_it_shows(drawn):
    """Of every kind of field, whatever it holds; but texts have no blanks around, and nothing empty is listed."""
    command = _sayable(drawn)
    values = {field.encode_name: getattr(command, field.name) for field in msgspec.structs.fields(command)}
    entered = entered_of(INPUTS, values)

    assert app.codec.decode_parameters(EveryKind, values_of(INPUTS, entered).values) == command


@given(st.lists(st.tuples(st.sampled_from([each.name for each in INPUTS]), TEXT), max_size=12))
def test_a_form_takes_whatever_is_entered(pairs):
    """It becomes a command, or faults that each stand in the form; nothing else is raised."""
    entered = Entered(pairs)
    found = values_of(INPUTS, entered)
    try:
        app.codec.decode_parameters(EveryKind, found.values)
        faults = found.faults
    except InvalidMessage as error:
        faults = (*found.faults, *error.errors)
    form = form_of(INPUTS, entered, faults)

    assert len(form.faults) >= len({fault.pointer for fault in faults})


def _sayable(command: EveryKind) -> EveryKind:
    plain = _cleaned(msgspec.to_builtins(command, enc_hook=encode_foreign))
    cleaned = msgspec.convert(plain, EveryKind, dec_hook=decode_foreign)
    other = None if cleaned.other == Address() else cleaned.other
    return msgspec.structs.replace(cleaned, either=None, other=other)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(value.split()) or "AAAA"
    if isinstance(value, dict):
        return {key: _cleaned(inner) for key, inner in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list | tuple) else value
