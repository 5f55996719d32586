from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec import UNSET
from tests.unit.ui.shop import Address, Colour, Contact, EveryKind, FindOrders, Line, app

from headwater.ui.controls import form_of
from headwater.ui.entered import Entered, entered_of, values_of
from headwater.ui.inputs import inputs_of
from headwater.ui.names import Labels

INPUTS = inputs_of(EveryKind, Labels({}))
_NEEDED = (("order_id", "A-1"), ("text", "Hello"), ("must", "true"), ("status", "open"))

_READ = {
    "text": ([("text", " two\r\nlines ")], " two\nlines "),
    "plain": ([("plain", " trimmed ")], "trimmed"),
    "an emptied default": ([("plain", "")], ""),
    "note": ([("note", "")], None),
    "whole": ([("whole", "7")], 7),
    "an emptied number": ([("whole", "")], 3),
    "real": ([("real", "1.5")], 1.5),
    "money": ([("money", "12.30")], Decimal("12.30")),
    "agreed": ([("agreed", "true")], True),
    "not agreed": ([], False),
    "sure": ([("sure", "false")], False),
    "level": ([("level", "3")], 3),
    "colour": ([("colour", "blue")], Colour.BLUE),
    "day": ([("day", "2026-01-31")], date(2026, 1, 31)),
    "at": ([("at", "2026-01-31T10:20")], datetime(2026, 1, 31, 10, 20, tzinfo=UTC)),
    "local": ([("local", "2026-01-31T10:20:30")], datetime.fromisoformat("2026-01-31T10:20:30")),
    "clock": ([("clock", "10:20")], time(10, 20)),
    "span": ([("span", "PT90M")], timedelta(minutes=90)),
    "token": ([("token", "0" * 32)], UUID(int=0)),
    "raw": ([("raw", "YWI=")], b"ab"),
    "tags": ([("tags", "a"), ("tags", ""), ("tags", "b")], ["a", "b"]),
    "colours": ([("colours", ""), ("colours", "red")], [Colour.RED]),
    "lines": (
        [("lines", "0"), ("lines.0.sku", "x"), ("lines.0.count", "2"), ("lines", "4"), ("lines.4.sku", "y")],
        [Line(sku="x", count=2), Line(sku="y")],
    ),
    "address": ([("address.floor~none", "1")], Address(floor=None)),
    "other": ([("other.street", ""), ("other.floor", "")], None),
    "other filled in": ([("other.street", "Elm"), ("other.floor", "2")], Address(street="Elm", floor=2)),
    "contact": (
        [("contact.name", "Ada"), ("contact.phones", "1"), ("contact.phones", "2")],
        Contact("Ada", ("1", "2")),
    ),
    "contacts": ([("contacts", "0"), ("contacts.0.name", "Ada")], [Contact("Ada")]),
    "anything": ([("anything", '{"a": 1}')], {"a": 1}),
    "cleared": ([("cleared", "")], UNSET),
    "cleared box": ([("cleared", "x"), ("cleared~none", "1")], None),
}


@pytest.mark.parametrize(("name", "case"), _READ.items(), ids=_READ)
def test_what_is_entered_is_what_the_command_says(name, case):
    """Texts become the field's value, as they would from elsewhere."""
    pairs, wanted = case
    field = {"an": pairs[0][0] if pairs else "", "not": "agreed"}.get(name.split()[0], name.split()[0])
    command = _command(*pairs)

    assert getattr(command, field) == wanted


def test_what_a_form_holds_at_first_is_what_its_defaults_say():
    """Sent as it is shown, a form makes the command that a caller in Python makes."""
    made = _command(*[pair for pair in entered_of(INPUTS).pairs if pair[0] not in dict(_NEEDED)])

    assert made == EveryKind(order_id="A-1", text="Hello", must=True, status="open")


def test_json_that_is_none_is_told_where_it_stands():
    """The decoder never sees it."""
    found = values_of(INPUTS, Entered([*_NEEDED, ("anything", "{")]))

    assert [(fault.pointer, "JSON" in fault.detail) for fault in found.faults] == [("/anything", True)]


def test_every_fault_stands_beside_its_control_in_words():
    """Of a single field, of a row, of one value among several; what belongs nowhere stands above."""
    with pytest.raises(Exception, match="not valid") as caught:
        _command(
            ("whole", "12"),
            ("lines", "3"),
            ("lines.3.sku", ""),
            ("lines.3.count", "x"),
            ("colours", "pink"),
            ("new", "1"),
        )
    entered = Entered([*_NEEDED, ("lines", "3"), ("colours", "pink")])
    form = form_of(INPUTS, entered, [*caught.value.errors])

    assert {(fault.id, fault.words) for fault in form.faults if fault.id} == {
        ("f-whole", "must be at most 9"),
        ("f-lines-3-sku", "is needed"),
        ("f-lines-3-count", "must be a whole number"),
        ("f-colours", "must be one of the choices"),
    }


def test_a_filter_that_stands_nowhere_is_not_said():
    """An address without parameters asks for everything; an empty field of a form as well."""
    inputs = inputs_of(FindOrders, Labels({}), asking=True)
    said = [("customer", ""), ("articles.ge", "2"), ("articles.le", ""), ("status", ""), ("status", "placed")]

    assert values_of(inputs, Entered(), asking=True).values == {}
    assert values_of(inputs, Entered(said), asking=True).values == {"articles": {"ge": "2"}, "status": ["placed"]}


def _command(*pairs):
    given = dict(pairs)
    needed = [pair for pair in _NEEDED if pair[0] not in given]
    values = values_of(INPUTS, Entered([*needed, *pairs])).values
    return app.codec.decode_parameters(EveryKind, {**values, **({"new": "1"} if "new" in given else {})})
