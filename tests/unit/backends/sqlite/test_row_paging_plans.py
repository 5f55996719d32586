"""How SQLite finds rows: the plans of pages, of the shapes that lists have."""

from __future__ import annotations

from typing import Annotated

import pytest

from headwater.backends.sqlite.row_plans import TableSql, in_sizes
from headwater.read_models import Indexed, Key, ReadModel
from headwater.read_store import Range, Table, open_read_store
from headwater.read_store.cursor import Place
from headwater.read_store.reader import _from
from headwater.read_store.selection import Selection, conditions_for, order_of
from headwater.read_store.statements import selecting
from headwater.testing.conformance.read_samples import put


class Case(ReadModel):
    code: Annotated[str, Key()]
    status: Annotated[str, Indexed("opened")]
    team: Annotated[str, Indexed()]
    opened: Annotated[int, Indexed()]
    closed: Annotated[int | None, Indexed()] = None


CASES = Table("Cases", 1, Case)


@pytest.fixture
async def store(tmp_path):
    """Four thousand rows: few values of status and team, many of the others."""
    async with open_read_store(f"sqlite:///{tmp_path}/rows.db") as store:
        await store.prepare([CASES])
        rows = [
            Case(code=f"c{n}", status="ab"[n % 2], team="xy"[n % 2], opened=n, closed=n if n % 3 else None)
            for n in range(4_000)
        ]
        await put(store, CASES, *rows)
        yield store


async def plan(store, sort, place=None, **filters):
    """What SQLite says it does."""
    whole = Selection(table=CASES, conditions=conditions_for(CASES, filters), order=order_of(CASES, sort))
    sql, values = selecting(TableSql(CASES), _from(whole, place, 51))
    return " / ".join(row[3] for row in await store.query(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    ("sort", "place", "filters", "index"),
    [
        ("", None, {}, "SCAN cases_v1"),
        ("-opened", None, {}, "ix_cases_v1_opened"),
        ("-opened", (7, "c7"), {}, "ix_cases_v1_opened ((opened,code)<(?,?))"),
        ("-opened", None, {"status": "a"}, "ix_cases_v1_status_opened (status=?)"),
        ("-opened", (7, "c7"), {"status": "a"}, "ix_cases_v1_status_opened (status=? AND (opened,code)<(?,?))"),
        ("-opened", None, {"team": "x", "opened": Range(lt=3_000)}, "ix_cases_v1_opened (opened<?)"),
        ("closed", (7, "c7"), {}, "ix_cases_v1_closed (closed>?)"),
        ("-closed", None, {}, "ix_cases_v1_closed"),
    ],
)
async def test_a_page_is_read_from_an_index_in_its_order(store, sort, place, filters, index):
    """No sorting, and no index that leaves half of the rows: also where a field has few values."""
    found = await plan(store, sort, place and Place(place), **filters)
    assert index in found
    assert "TEMP B-TREE" not in found


async def test_many_rows_go_in_few_statements(store):
    """Of a handful of sizes, so that each is prepared once."""
    assert list(in_sizes(139, (64, 8, 1))) == [(0, 64), (64, 64), (128, 8), (136, 1), (137, 1), (138, 1)]
    assert list(in_sizes(0, (64, 8, 1))) == []
