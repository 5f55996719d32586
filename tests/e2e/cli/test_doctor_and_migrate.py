from __future__ import annotations

import os
from contextlib import closing

import apsw
import pytest

LOG = "sqlite:///todo.db"


def findings(ended):
    """What was found, by name."""
    return {each["name"]: each for each in ended.json["findings"]}


def test_a_sound_machine_is_healthy(headwater):
    """Versions, the driver's own SQLite, and every extra of the package."""
    ended = headwater("doctor", "--json")
    found = findings(ended)
    assert (ended.code, ended.json["healthy"]) == (0, True)
    assert {"python", "headwater", "msgspec", "apsw", "sqlite", "[web]", "[cli]"} <= found.keys()
    assert found["sqlite"]["value"] == f"{apsw.sqlite_lib_version()}, free of the WAL-reset race"


def test_a_log_is_looked_at_too(headwater, tasks):
    """Whether it opens, and how its file stands."""
    ended = headwater("doctor", LOG, "--json")
    found = findings(ended)
    assert ended.code == 0
    assert found["log"]["value"] == f"{LOG} opens, head 4"
    assert found["journal mode"]["value"] == "wal"
    assert found["synchronous"]["value"] == "FULL"
    assert {"schema version", "disk free", "permissions", "file"} <= found.keys()
    assert "journal mode" in headwater("doctor", LOG).out


def test_relaxed_durability_is_a_warning(headwater, tasks):
    """It is a choice, but one that can lose events."""
    assert findings(headwater("doctor", f"{LOG}?durability=relaxed", "--json"))["synchronous"]["state"] == "warning"


def test_a_log_that_only_may_be_read_is_a_warning_or_worse(headwater, project, tasks):
    """Permissions are looked at as this user has them."""
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everything")
    (project / "todo.db").chmod(0o444)
    assert findings(headwater("doctor", LOG, "--json"))["log"]["state"] == "failed"


@pytest.mark.parametrize("url", ["sqlite:///none.db", "ftp://log", "sqlite:///?nope=1"])
def test_a_log_that_cannot_be_opened_fails_with_what_to_do(headwater, project, url):
    """The doctor ends with a finding and not with an error, and makes no file."""
    ended = headwater("doctor", url, "--json")
    assert ended.code == 1
    assert findings(ended)["log"]["state"] == "failed"
    assert findings(ended)["log"]["remedy"]
    assert list(project.glob("*.db")) == []


def test_a_newer_schema_is_told(headwater, project, tasks):
    """A log of a newer Headwater is neither opened nor changed."""
    with closing(apsw.Connection(str(project / "todo.db"))) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, 'later')")
    assert "schema-too-new" in findings(headwater("doctor", LOG, "--json"))["log"]["value"]
    refused = headwater("migrate", LOG, "--json")
    assert (refused.code, refused.problem["code"], refused.problem["found"]) == (3, "schema-too-new", 99)


def test_migrating_what_is_current_changes_nothing(headwater, tasks):
    """It may be run on every start."""
    done = headwater("migrate", LOG, "--json").json
    assert done["schema_before"] == done["schema"]
    assert done["head"] == 4


def test_migrating_never_makes_a_log(headwater, project):
    """A wrong URL stays a wrong URL."""
    assert headwater("migrate", LOG).code == 3
    assert list(project.glob("*.db")) == []
