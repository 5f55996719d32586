from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest
from tests.e2e.cli.test_serve import call, served

ROWS = "400"


def findings(ended):
    """What the doctor found, by name."""
    return {each["name"]: each for each in ended.json["findings"]}


@pytest.fixture
def sql(postgres_server, postgres_url):
    """Run a statement in the test's database, as the server's superuser."""
    return lambda statement: postgres_server.execute(statement, url=postgres_url)


@pytest.fixture
def added(headwater, postgres_url):
    """A log in PostgreSQL with one task."""
    sent = headwater("send", "app:app", "add-task", "-f", "task_id=t1", "-f", "title=Milk", "--url", postgres_url)
    assert sent.code == 0, sent.err
    return postgres_url


def test_the_demo_has_equal_figures(headwater, postgres_url):
    """The same numbers as on a file; again, it appends nothing; and the log is whole."""
    words = ("demo", "--limit", ROWS, "--json")
    there = headwater(*words, "--url", postgres_url)
    assert there.code == 0, there.err
    here = headwater(*words)
    assert (there.json["figures_equal"], there.json["figures"]) == (True, here.json["figures"])
    again = headwater(*words, "--url", postgres_url, "--again").json
    assert (again["events"], again["repeated"], again["figures_equal"]) == (0, there.json["commands"], True)
    refused = headwater(*words, "--url", postgres_url)
    assert (refused.code, refused.problem["code"]) == (1, "demo-refused")
    checked = headwater("verify", postgres_url, "--json")
    assert (checked.code, checked.json["head"]) == (0, there.json["events"])


def test_a_command_a_question_and_the_log(headwater, added):
    """Every verb takes the URL."""
    asked = headwater("ask", "app:app", "find-tasks", "--url", added, "--json")
    assert [row["task_id"] for row in asked.json["value"]["items"]] == ["t1"]
    shown = headwater("events", added, "--tag", "task:t1", "--json").json
    assert ([event["type"] for event in shown["events"]], shown["head"]) == (["TaskAdded"], 1)
    (status,) = headwater("projections", "status", "app:app", "--url", added, "--catch-up", "--json").json
    assert (status["position"], status["error"]) == (1, None)
    assert headwater("projections", "rebuild", "app:app", "Tasks", "--url", added, "--json").json["position"] == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_is_served(project, postgres_url, workers):
    """From one process or several; a query reads the write."""
    with served(project, "--url", postgres_url, "--workers", workers) as (_, address):
        assert call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})[0] == 200
        assert call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})[0] == 422
        _, page = call(f"{address}/queries/find-tasks", **{"headwater-position": "1"})
        assert [row["task_id"] for row in page["items"]] == ["t1"]


@pytest.mark.parametrize(
    "words",
    [
        ("events", "URL"),
        ("verify", "URL"),
        ("ask", "app:app", "find-tasks", "--url", "URL"),
        ("projections", "status", "app:app", "--url", "URL"),
        ("replicate", "URL", "memory:"),
    ],
)
def test_verbs_that_look_make_no_log(headwater, postgres_url, sql, words):
    """They say what to do, and leave the database as it is."""
    ended = headwater(*(postgres_url if word == "URL" else word for word in words), "--json")
    assert (ended.code, ended.problem["code"]) == (3, "store-io-error")
    assert "headwater migrate" in ended.problem["remedy"]
    assert sql("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'headwater%'") == []


def test_migrate_makes_what_an_application_needs(headwater, postgres_url, sql):
    """Log, read store and, with --app, the tables of its read models; again, it changes nothing."""
    first = headwater("migrate", postgres_url, "--json").json
    assert (first["schema_before"], first["read_store_schema_before"], first["head"]) == (0, 0, 0)
    again = headwater("migrate", postgres_url, "--app", "app:app", "--json").json
    assert (again["schema_before"], again["read_store_schema_before"]) == (again["schema"], again["read_store_schema"])
    tables = sql("SELECT tablename::text FROM pg_tables WHERE schemaname = 'headwater_read'")
    assert ("tasks_v1",) in tables


def test_migrate_takes_a_read_store_elsewhere(headwater, project, postgres_url, sql):
    """A file beside a log in PostgreSQL, for example."""
    done = headwater("migrate", postgres_url, "--read-store", "sqlite:///rows.db", "--app", "app:app", "--json").json
    assert (done["read_store_schema_before"], done["read_store"]) == (None, "sqlite:///rows.db")
    assert (project / "rows.db").exists()
    assert sql("SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'headwater%'") == [("headwater",)]


def test_a_newer_schema_is_refused(headwater, added, sql):
    """It is told, and nothing is changed."""
    sql("INSERT INTO headwater.event_log_version VALUES (99)")
    refused = headwater("migrate", added, "--json")
    assert (refused.code, refused.problem["code"], refused.problem["found"]) == (3, "schema-too-new", 99)
    assert "schema-too-new" in findings(headwater("doctor", added, "--json"))["log"]["value"]


def test_the_doctor_looks_at_the_server(headwater, added, sql):
    """Its version, whether commits last, the isolation level, the schema, and what the role may do."""
    found = findings(headwater("doctor", added, "--json"))
    assert found["server"]["value"].startswith("PostgreSQL ")
    assert (found["fsync"]["value"], found["isolation"]["value"]) == ("on", "read committed")
    assert found["role"]["value"].endswith("may append")
    assert found["log"]["value"].endswith("opens, head 1")
    database = added.rpartition("/")[2]
    sql(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    ended = headwater("doctor", added, "--json")
    assert (ended.code, findings(ended)["isolation"]["state"]) == (1, "failed")
    sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert findings(headwater("doctor", added, "--json"))["role"]["value"].endswith("may only read")


def test_a_server_that_does_not_answer_is_told(headwater):
    """In one line, without the password."""
    ended = headwater("doctor", "postgresql://ann:secret@127.0.0.1:1/desk", "--json")
    assert (ended.code, findings(ended)["log"]["state"]) == (1, "failed")
    assert "secret" not in ended.out
    ended = headwater("events", "postgresql://ann:secret@127.0.0.1:1/desk")
    assert (ended.code, "secret" in ended.err) == (3, False)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DROP TRIGGER events_never_change ON headwater.events", "trigger events_never_change is missing"),
        ("ALTER TABLE headwater.events DISABLE TRIGGER ALL", "trigger events_never_change is switched off"),
        (
            "CREATE OR REPLACE FUNCTION headwater.refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RETURN NULL; END'",
            "function refuse_change was changed",
        ),
        ("DROP FUNCTION headwater.copy_batch", "function copy_batch is missing"),
        ("CREATE FUNCTION headwater.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function mine does not belong"),
        ("INSERT INTO headwater.event_tags VALUES ('forged', 1, 1)", "1: the index says forged, the event does not"),
    ],
)
def test_verify_finds_what_was_gone_round(headwater, added, sql, statement, fault):
    """What keeps events immutable, and the index."""
    sql(statement)
    ended = headwater("verify", added, "--json")
    assert ended.code == 1
    assert fault in "\n".join(line for check in ended.json["checks"] for line in check["first"])


def test_no_password_is_shown(headwater, added):
    """Whatever a verb says of its URL."""
    url = added.replace("headwater@", "headwater:secret@")
    for words in (("migrate", url), ("verify", url), ("doctor", url), ("grants", url), ("replicate", url, "memory:")):
        for more in ((), ("--json",)):
            ended = headwater(*words, *more)
            assert ended.code == 0, ended.err
            assert "secret" not in ended.out + ended.err


@pytest.fixture
def separated(headwater, postgres_server, postgres_url, sql):
    """The tables of the project's app, and the URL as each of three roles."""
    stem = postgres_url.rpartition("/")[2]
    names = {kind: f"{stem}_{kind}" for kind in ("writer", "projector", "reader")}
    assert headwater("migrate", postgres_url, "--app", "app:app").code == 0
    options = [word for kind, name in names.items() for word in (f"--{kind}", name)]
    (script,) = headwater("grants", postgres_url, *options, "--json").json["scripts"]
    for statement in script["statements"]:
        sql(statement)
    yield SimpleNamespace(
        **{kind: postgres_url.replace("headwater@", f"{name}@") for kind, name in names.items()}, names=names
    )
    for name in names.values():
        sql(f"DROP OWNED BY {name}")
        sql(f"DROP ROLE {name}")


def test_separate_roles_send_project_and_ask(headwater, separated):
    """Each verb under the role that suffices for it, and refused under another."""
    sending = ("send", "app:app", "add-task", "-f", "task_id=t1", "-f", "title=Milk", "--read-store", "memory:")
    refused = headwater(*sending, "--url", separated.reader, "--json")
    assert (refused.code, refused.problem["code"]) == (3, "store-read-only")
    assert headwater(*sending, "--url", separated.writer, "--json").json["position"] == 1
    status = ("projections", "status", "app:app", "--catch-up", "--url", separated.projector, "--json")
    assert headwater(*status).json[0]["position"] == 1
    asked = headwater("ask", "app:app", "find-tasks", "--url", separated.reader, "--json")
    assert [row["task_id"] for row in asked.json["value"]["items"]] == ["t1"]
    assert findings(headwater("doctor", separated.reader, "--json"))["role"]["value"].endswith("may only read")


def test_one_server_uses_all_three_roles(project, separated):
    """It appends as the writer; its read store fills tables as the projector and answers as the reader."""
    rows = f"{separated.projector}?reader_role={separated.names['reader']}"
    with served(project, "--url", separated.writer, "--read-store", rows, "--workers", "2") as (_, address):
        assert call(f"{address}/commands/add-task", {"task_id": "t1", "title": "Milk"})[0] == 200
        _, page = call(f"{address}/queries/find-tasks", **{"headwater-position": "1"})
        assert [row["task_id"] for row in page["items"]] == ["t1"]


def test_the_sql_of_grants_goes_to_a_program(headwater):
    """Printed, it is a script with comments; wrong words end as usage errors."""
    printed = headwater("grants", "postgresql://owner@host/desk", "--writer", "w", "--projector", "p", "--reader", "r")
    assert printed.code == 0
    assert printed.out.startswith("-- For the database postgresql://owner@host/desk")
    assert 'GRANT EXECUTE ON FUNCTION "headwater".append_batch TO "w";' in printed.out
    same = headwater("grants", "postgresql://owner@host/desk", "--writer", "r", "--reader", "r", "--json")
    assert (same.code, same.problem["code"]) == (2, "usage-error")
    file = headwater("grants", "sqlite:///todo.db", "--json")
    assert (file.code, file.problem["code"]) == (3, "unsupported-url")


def test_printing_grants_needs_no_driver(project):
    """It is text made from names."""
    code = "import sys; sys.modules['asyncpg'] = None; from headwater.cli import main; main(['grants', 'postgresql://o@h/d'])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, "append_batch" in ended.stdout) == (0, True), ended.stderr


def test_json_is_one_value(headwater):
    """With roles and statements."""
    shown = msgspec.json.decode(headwater("grants", "postgresql://o@h/d", "--json").out)
    assert shown["roles"]["reader"] == "headwater_reader"
    assert shown["scripts"][0]["database"] == "postgresql://o@h/d"
