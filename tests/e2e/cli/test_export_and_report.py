from __future__ import annotations

import pytest

pytest.importorskip("duckdb")

_SQL = "SELECT status, count(*) AS tasks FROM TaskRow GROUP BY status ORDER BY status"


def test_an_app_is_exported_and_reported_on(headwater, tasks, project):
    """From the folder, from the app itself, and from its log alone."""
    done = headwater("export", "app:app", "out", "--json").json
    assert (done["position"], done["rows"]) == (4, {"TaskRow": 3})
    assert headwater("report", _SQL, "out", "--json").json == headwater("report", _SQL, "app:app", "--json").json
    count = headwater("report", "SELECT count(*) AS events FROM events", "sqlite:///todo.db", "--json").json
    assert count == [{"events": 4}]


def test_people_and_programs_get_tables(headwater, tasks):
    """Drawn, or as CSV."""
    headwater("export", "app:app", "out", "--format", "ndjson")
    assert headwater("report", _SQL, "out", "--csv").out == "status,tasks\ndone,1\nopen,2\n"
    assert "tasks" in headwater("report", _SQL, "out").out


def test_what_writes_and_what_is_not_there_is_refused(headwater, tasks):
    """With exit code and problem."""
    headwater("export", "sqlite:///todo.db", "out")
    assert headwater("report", "DROP VIEW events", "out", "--json").problem["code"] == "read-only"
    assert headwater("report", "SELECT x FROM y", "out", "--json").problem["code"] == "query-error"
    assert headwater("export", "sqlite:///nothing.db", "out", "--json").code == 3
    missing = headwater("report", _SQL, "/no/such/folder", "--json").problem
    assert (missing["code"], missing["detail"]) == ("store-io-error", "there is no folder /no/such/folder")
