"""What every store refuses before it does anything."""

from __future__ import annotations

import pytest

from headwater.errors import InvalidAppend
from headwater.event_store import NewEvent, checking
from headwater.event_store.checking import checked

PLAIN = NewEvent("A", b"{}", ("x", "y"))


def test_plain_events_pass_as_they_are():
    """The common case copies nothing."""
    events = [PLAIN]
    assert checked(events, None)[0] is events
    assert checked((PLAIN, NewEvent("B", b"")), None)[0][0] is PLAIN


@pytest.mark.parametrize("name", ["no\u00a0break", "zero\u200bwidth", "\u3000", "x" * 1_024])
def test_unusual_but_storable_names_pass(name):
    """Only what cannot be stored or told apart is refused."""
    assert checked([NewEvent(name, b"", (name,))], None)[0][0].tags == (name,)


def test_any_iterable_of_events_will_do():
    """A generator is read once."""
    assert len(checked((NewEvent("A", b"") for _ in range(3)), None)[0]) == 3


@pytest.mark.parametrize(
    "event",
    [
        NewEvent("A", b"", tuple(f"t{number}" for number in range(checking.TAGS_PER_EVENT + 1))),
        NewEvent("A", b"", ("x" * 1_025,)),
        NewEvent("x" * 1_025, b""),
    ],
    ids=["too many tags", "a long tag", "a long type"],
)
def test_sizes_have_bounds(event):
    """Bounds are far from what is sensible, and near enough to protect the store."""
    with pytest.raises(InvalidAppend):
        checked([event], None)
    with pytest.raises(InvalidAppend):
        checked([PLAIN, event], None)


def test_data_has_a_bound(monkeypatch):
    """Large documents belong elsewhere, says the remedy."""
    monkeypatch.setattr(checking, "DATA_BYTES", 10)
    with pytest.raises(InvalidAppend) as refusal:
        checked([NewEvent("A", b"x" * 11)], None)
    assert refusal.value.remedy


def test_the_number_of_events_has_a_bound(monkeypatch):
    """A migration appends in several steps."""
    monkeypatch.setattr(checking, "EVENTS_PER_APPEND", 2)
    with pytest.raises(InvalidAppend):
        checked([NewEvent("A", b"") for _ in range(3)], None)


@pytest.mark.parametrize(
    "event",
    [
        NewEvent("A", b"{}", ("x" * 601,)),
        NewEvent("A", b"{}", ("no\u00a0break",)),
        NewEvent("A", b"{}", ("x", "x", "y")),
        NewEvent("A", b"{}"),
        PLAIN,
    ],
    ids=["a long tag", "an unusual tag", "a tag twice", "no tag", "two tags"],
)
def test_events_of_the_codec_are_checked_alike(event):
    """The short way of the usual event says the same as the long way of all others."""
    assert checking.checked_encoded([event]) == checked([event], None)
    plain = NewEvent("A", b"{}", ("x",))
    assert checking.checked_encoded([plain]) == checked([plain], None)
    assert checking.checked_encoded([plain, event]) == checked([plain, event], None)


@pytest.mark.parametrize("tag", ["", "x" * 1_025, "a\x1fb"])
def test_a_tag_of_the_codec_that_cannot_be_stored_is_refused(tag):
    """Its text is what a user said."""
    with pytest.raises(InvalidAppend):
        checking.checked_encoded([NewEvent("A", b"{}", (tag,))])
