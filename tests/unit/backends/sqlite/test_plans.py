"""From an event query to SQL."""

from __future__ import annotations

import apsw
import pytest

from headwater.backends.sqlite.plans import plan, probe
from headwater.backends.sqlite.statements import statement
from headwater.event_store import ALL, EventQuery
from headwater.event_store.protocol import QueryItem

IDS = {f"T{number}": number for number in range(1, 200)}
of = EventQuery.of

QUERIES = {
    "all": ALL,
    "a tag": of(tags=("x",)),
    "two tags": of(tags=("x", "y")),
    "a tag and a type": of(tags=("x",), types=("T1",)),
    "a tag and many types": of(tags=("x",), types=tuple(IDS)),
    "a type": of(types=("T1",)),
    "few types": of(types=("T1", "T2", "T3")),
    "many types": of(types=tuple(IDS)[:20]),
    "very many types": of(types=tuple(IDS)),
    "items of all kinds": of(tags=("x",)) | of(types=("T1",)) | of(tags=("y", "z"), types=("T2", "T150")),
}
MANY_ITEMS = EventQuery(tuple(QueryItem(tags=(f"t{number}",)) for number in range(450)))


@pytest.fixture(scope="module")
def connection():
    opened = apsw.Connection(":memory:")
    opened.execute(statement("event_log_001"))
    opened.execute(statement("event_log_002"))
    yield opened
    opened.close()


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", list(QUERIES))
def test_no_query_sorts_or_scans_without_need(connection, name, backwards):
    """Rows come in order from the indexes, so a limit ends a read early and memory stays flat."""
    sql, values = plan(QUERIES[name], IDS, 0, None, backwards=backwards)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [step for step in steps if "TEMP B-TREE" in step or step.startswith(("SCAN events", "SCAN t", "SCAN e"))]


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "all"])
def test_a_probe_finds_the_last_match_by_index(connection, name):
    """A condition is checked in constant time, however long the history."""
    sql, values = probe(QUERIES[name].items, IDS, 0)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [step for step in steps if "TEMP B-TREE" in step or "SCAN e" in step]
    assert connection.execute(sql, values).fetchall() == []


def test_hundreds_of_items_are_within_the_limits_of_sqlite(connection):
    """They are merged in groups, which then are sorted."""
    for sql, values in (plan(MANY_ITEMS, IDS, 0, 5, backwards=False), probe(MANY_ITEMS.items, IDS, 0)):
        assert connection.execute(sql, values).fetchall() == []


def test_queries_of_one_shape_share_their_statement():
    """Only values differ, and they are bound."""
    first, one = plan(of(tags=("x",), types=("T1", "T2")), IDS, 0, None, backwards=False)
    second, other = plan(of(tags=("y",), types=("T9",)), IDS, 7, 3, backwards=False)
    assert first == second
    assert (one, other) == ([0, -1, "x", 0b110], [7, 3, "y", 1 << 9])


def test_an_unknown_type_matches_nothing():
    """It has no bit in the mask and no id in the list."""
    assert plan(of(tags=("x",), types=("Nobody",)), IDS, 0, None, backwards=False)[1][-1] == 0
    assert plan(of(types=("Nobody",)), IDS, 0, None, backwards=False)[1][-1] == -1
