"""Driver errors become domain errors by SQLSTATE."""

from __future__ import annotations

import pytest

from headwater.backends.postgres.errors import is_lost, store_error, translated
from headwater.errors import (
    OutcomeUnknown,
    SchemaOutdated,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreIOError,
    StoreReadOnly,
)


def answered(state):
    """An error as the server answers with."""
    error = Exception("in whatever language")
    error.sqlstate = state
    return error


@pytest.mark.parametrize(
    ("state", "committing", "expected"),
    [
        ("53100", False, StoreFull),
        ("53100", True, StoreFull),
        ("25006", True, StoreReadOnly),
        ("42501", True, StoreReadOnly),
        ("3F000", False, SchemaOutdated),
        ("42P01", False, SchemaOutdated),
        ("42883", True, SchemaOutdated),
        ("40P01", True, StoreBusy),
        ("53300", False, StoreBusy),
        ("55P03", True, StoreBusy),
        ("57014", True, StoreBusy),
        ("57P03", False, StoreBusy),
        ("XX001", False, StoreCorrupt),
        ("3D000", False, StoreIOError),
        ("28P01", False, StoreIOError),
        ("HW001", True, StoreIOError),
        ("22023", True, StoreIOError),
        ("57P01", False, StoreIOError),
        ("57P01", True, OutcomeUnknown),
        ("57P02", True, OutcomeUnknown),
        ("08006", False, StoreIOError),
        ("08006", True, OutcomeUnknown),
    ],
)
def test_each_state_has_its_error(state, committing, expected):
    """The cause is kept, the remedy named; only a lost connection leaves the outcome open."""
    cause = answered(state)
    error = store_error(cause, "postgresql://host/db", committing=committing)
    assert type(error) is expected
    assert error.remedy
    assert error.__cause__ is cause


@pytest.mark.parametrize(
    ("cause", "committing", "expected"),
    [
        (ConnectionResetError(), True, OutcomeUnknown),
        (ConnectionRefusedError(), False, StoreIOError),
        (TimeoutError(), False, StoreBusy),
        (TimeoutError(), True, OutcomeUnknown),
    ],
)
def test_errors_of_the_network_are_typed_too(cause, committing, expected):
    """Not everything is an answer of the server."""
    assert type(store_error(cause, "db", committing=committing)) is expected


def test_what_the_server_answers_leaves_the_connection_well():
    """Unless the answer is that it hangs up."""
    assert not is_lost(answered("53100"))
    assert all(is_lost(error) for error in (answered("57P01"), answered("08003"), OSError()))


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("26000", "statement_cache_size=0"),
        ("42P05", "statement_cache_size=0"),
        ("53300", "max_connections"),
        ("57014", "statement_timeout"),
        ("25006", "default_transaction_read_only"),
    ],
)
def test_the_remedy_names_the_setting_that_is_to_blame(state, remedy):
    """For what a server or a pooler is often set up to do."""
    assert remedy in store_error(answered(state), "db").remedy


@pytest.mark.parametrize("state", ["42712", "42501", "28000", "57014", "53300"])
def test_the_first_line_of_what_a_server_says_is_passed_on(state):
    """It often says what exactly is missing; the details below may hold values."""
    told = answered(state)
    told.args = ("a name is used twice\nDETAIL: secret",)
    assert "a name is used twice" in str(store_error(told, "db"))
    assert "secret" not in str(store_error(told, "db"))


def test_domain_errors_pass_unchanged():
    """They are system errors by inheritance, and must not be wrapped again."""
    closed = StoreClosed("closed")
    with pytest.raises(StoreClosed) as raised, translated("db"):
        raise closed
    assert raised.value is closed
    with pytest.raises(StoreFull), translated("db"):
        raise answered("53100")
