"""From errors to problem documents."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from headwater import errors
from headwater.http.problems import STATUS_OF, problem_of, status_of, title_of

_ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.HeadwaterError) and kind is not errors.HeadwaterError
]
_EXPECTED = {
    400: {"MalformedMessage", "QueryError", "UnknownField", "InvalidAsOf", "InvalidCursor", "InvalidFilter"},
    403: {"Forbidden"},
    404: {"RowNotFound", "NotParked", "UnknownMessage"},
    409: {"ConcurrencyError"},
    412: {"ExpectationFailed"},
    422: {"IdempotencyMismatch", "InvalidAppend", "InvalidMessage", "QueryTooExpensive", "Refused"},
    503: {
        "DuplicateEventId", "OtherHistory", "OutcomeUnknown", "ProjectionBehind", "ProjectionFailed",
        "ProjectionPaused", "ProjectionStalled", "QueryTooSlow", "SchemaOutdated", "SchemaTooNew", "StoreBusy",
        "StoreClosed", "StoreCorrupt", "StoreError", "StoreIOError", "StoreReadOnly", "UnsupportedUrl",
    },
    507: {"StoreFull"},
}  # fmt: skip


@pytest.mark.parametrize("kind", _ALL, ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_has_its_status(kind):
    """One table; what is not in it is the server's own fault."""
    expected = next((status for status, names in _EXPECTED.items() if kind.__name__ in names), 500)

    assert status_of(kind) == expected


@pytest.mark.parametrize("kind", _ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_and_a_title_of_its_own(kind):
    """Two classes with one code could not be told apart by a caller."""
    same = [other for other in _ALL if other.code == kind.code]

    assert same == [kind]
    assert title_of(kind)


def test_a_store_error_says_nothing_of_files():
    """The path of a file is for the operator's log."""
    problem = problem_of(errors.StoreFull("/srv/desk.db: no space left", path="/srv/desk.db"))

    assert problem.status == 507
    assert b"/srv" not in problem.body


@pytest.mark.parametrize("error", [errors.StoreBusy("busy"), errors.ProjectionBehind("behind")])
def test_what_passes_says_when_to_come_again(error):
    """``Retry-After``, in seconds."""
    assert (b"retry-after", b"1") in problem_of(error).headers


def test_a_command_of_which_nobody_knows_what_came_is_not_asked_for_again():
    """Without an idempotency key a repeat might do it twice."""
    problem = problem_of(errors.OutcomeUnknown("the connection was lost"))
    assert (problem.status, problem.headers) == (503, [])


def test_facts_that_json_does_not_know_are_written_as_text():
    """A refusal may carry any value."""
    body = msgspec.json.decode(problem_of(errors.Refused("odd", value=object)).body)

    assert body["fields"]["value"].startswith("<class")


def test_the_table_names_only_errors_of_the_tree():
    """A class that was renamed would fall out of the table silently."""
    assert set(STATUS_OF) <= set(_ALL)
