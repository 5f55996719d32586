"""Separate roles: what each may do, and that an application runs under them."""

from __future__ import annotations

from types import SimpleNamespace

import asyncpg
import pytest
from tests.pairings import Empty, ListShelves, PutOn, folded, projected, shelves_app

from headwater.backends.postgres.grants import Roles, grants
from headwater.errors import StoreReadOnly, UnsupportedUrl
from headwater.event_store import NewEvent, open_store
from headwater.read_store import open_read_store, read_store_url

NO = asyncpg.InsufficientPrivilegeError
_KINDS = ("writer", "projector", "reader")


async def applied(url, text):
    """Run a script in that database, as the owner."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(text)
    finally:
        await connection.close()


async def as_role(url, *statements):
    """Run statements as the user of the URL, each for itself; gives the last one's rows."""
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetch(each) for each in statements][-1]
    finally:
        await connection.close()


@pytest.fixture
def roles(postgres_server, postgres_url):
    """The names of three roles, and the URL of the test's database as each of them; dropped after the test."""
    stem = postgres_url.rpartition("/")[2]
    names = Roles(*(f"{stem}_{kind}" for kind in _KINDS))
    urls = {
        kind: postgres_url.replace("headwater@", f"{name}@") for kind, name in zip(_KINDS, names.names(), strict=True)
    }
    yield SimpleNamespace(names=names, **urls)
    for name in names.names():
        if postgres_server.execute(f"SELECT to_regrole('{name}') IS NOT NULL") == [(True,)]:
            postgres_server.execute(f"DROP OWNED BY {name}", url=postgres_url)
            postgres_server.execute(f"DROP ROLE {name}")


@pytest.fixture
async def separated(postgres_url, roles):
    """A database with the tables of an application, one shelf in it, and the three roles."""
    async with shelves_app().open(postgres_url) as owner:
        await owner.execute(PutOn(shelf="first", amount=1))
        await owner.caught_up()
    (script,) = grants(postgres_url, roles.names)
    await applied(postgres_url, script.text)
    return roles


async def test_three_processes_run_an_application_under_three_roles(separated):
    """One sends commands, one projects, one answers."""
    app = shelves_app()
    async with app.open(separated.writer, read_store="memory:", follow=False, migrate=False) as commands:
        for number in range(20):
            await commands.execute(PutOn(shelf=f"s{number % 3}", amount=number), idempotency_key=str(number))
        receipt = await commands.execute(Empty(shelf="s1"))
    async with app.open(separated.projector, migrate=False) as projecting:
        await projecting.caught_up(receipt.position, timeout=30)
        assert await projected(projecting.read_store) == await folded(projecting.event_store)
        await projecting.rebuild("Shelves")
    async with app.open(separated.reader, follow=False, migrate=False) as answering:
        page = await answering.ask(ListShelves())
        assert [row.shelf for row in page.items] == ["s0", "s2", "first"]


async def test_one_process_runs_an_application_with_a_role_for_each_connection(separated):
    """It appends as the writer, fills tables as the projector, and answers as the reader."""
    rows = f"{read_store_url(separated.projector)}?reader_role={separated.names.reader}"
    async with shelves_app().open(separated.writer, read_store=rows, migrate=False) as runtime:
        receipt = await runtime.execute(PutOn(shelf="second", amount=2))
        page = await runtime.ask(ListShelves(), after=receipt)
        assert [row.shelf for row in page.items] == ["second", "first"]
        assert await runtime.read_store.query("SELECT current_user::text") == [(separated.names.reader,)]


async def test_the_writer_cannot_touch_read_tables(separated):
    """It does not even see them."""
    for statement in ("SELECT * FROM headwater_read.shelves_v1", "DELETE FROM headwater_read.checkpoints"):
        with pytest.raises(NO):
            await as_role(separated.writer, statement)
    with pytest.raises(StoreReadOnly):
        async with shelves_app().open(separated.writer, migrate=False):
            pass


async def test_the_writer_appends_by_the_function_alone(separated):
    """What the function checks cannot be gone round: not the tables, not the copying of another log."""
    async with open_store(separated.writer, migrate=False) as store:
        assert (await store.append([NewEvent("A", b"{}", ("x",))])).first == 2
    for statement in (
        "INSERT INTO headwater.types VALUES (99, 'Forged')",
        "DELETE FROM headwater.events",
        "SELECT headwater.take_turn(true)",
        "SELECT headwater.type_numbers('{Forged}')",
        "SELECT headwater.copy_batch(true, 3, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
    ):
        with pytest.raises(NO):
            await as_role(separated.writer, statement)


async def test_the_projector_cannot_append(separated):
    """It reads the log, and that is all."""
    async with open_store(separated.projector, migrate=False) as store:
        assert await store.head() == 1
        with pytest.raises(StoreReadOnly):
            await store.append([NewEvent("A", b"{}")])
        with pytest.raises(StoreReadOnly):
            await store.copy((await store.read()).events)
    with pytest.raises(NO):
        await as_role(separated.projector, "INSERT INTO headwater.snapshots VALUES ('k', 1, '', '')")


async def test_the_reader_cannot_write_anywhere(separated, sql):
    """No table of either schema, with any word; and through the stores neither."""
    tables = sql(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname LIKE 'headwater%' ORDER BY 1"
    )
    assert len(tables) >= 9
    for (table,) in tables:
        for word in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
            asked = f"SELECT has_table_privilege('{separated.names.reader}', '{table}', '{word}')"
            assert sql(asked) == [(False,)], (table, word)
    with pytest.raises(NO):
        await as_role(separated.reader, "DELETE FROM headwater_read.shelves_v1")
    async with open_store(separated.reader, migrate=False) as store:
        with pytest.raises(StoreReadOnly):
            await store.append([NewEvent("A", b"{}")])


@pytest.mark.parametrize("kind", _KINDS)
async def test_no_role_makes_or_changes_tables(separated, kind):
    """That is for whoever owns the schemas."""
    url = getattr(separated, kind)
    for schema in ("headwater", "headwater_read", "public"):
        with pytest.raises(NO):
            await as_role(url, f"CREATE TABLE {schema}.mine (x integer)")
    with pytest.raises(NO):
        await as_role(url, "ALTER TABLE headwater.events DISABLE TRIGGER ALL")
    with pytest.raises(NO):
        await as_role(url, "INSERT INTO headwater.event_log_version VALUES (99)")
    with pytest.raises(NO):
        await as_role(url, "INSERT INTO headwater_read.read_store_version VALUES (99)")


async def test_read_models_that_come_later_are_readable(separated, postgres_url):
    """Without the script being run again, if the owner makes their tables."""
    await applied(postgres_url, "CREATE TABLE headwater_read.later_v1 (x integer)")
    await as_role(separated.projector, "INSERT INTO headwater_read.later_v1 VALUES (1)")
    assert len(await as_role(separated.reader, "SELECT x FROM headwater_read.later_v1")) == 1


async def test_running_it_again_changes_nothing(separated, postgres_url, sql):
    """It belongs into every deployment."""
    rights = "SELECT relname::text, relacl::text FROM pg_class WHERE relacl IS NOT NULL ORDER BY 1, 2"
    before = sql(rights)
    (script,) = grants(postgres_url, separated.names)
    await applied(postgres_url, script.text)
    assert sql(rights) == before


async def test_a_read_store_elsewhere_gets_a_script_of_its_own(postgres_server, postgres_url, roles):
    """Each database has what concerns it, and the roles are the same."""
    elsewhere = postgres_server.fresh_database()
    try:
        async with open_store(postgres_url), open_read_store(f"{elsewhere}?schema=rows"):
            pass
        log, rows = grants(postgres_url, roles.names, read_store=f"{elsewhere}?schema=rows")
        await applied(postgres_url, log.text)
        await applied(elsewhere, rows.text)
        there = elsewhere.replace("headwater@", f"{roles.names.reader}@")
        assert await as_role(there, "SELECT * FROM rows.checkpoints") == []
        assert "rows" not in log.text.replace(" rows", "")
        assert "append_batch" not in rows.text
    finally:
        postgres_server.drop_database(elsewhere)


def test_only_postgresql_has_roles():
    """A file has permissions instead; a read store in a file needs no script."""
    with pytest.raises(UnsupportedUrl, match="permissions"):
        grants("sqlite:///library.db", Roles())
    (script,) = grants("postgresql://owner@host/db", Roles(), read_store="sqlite:///rows.db")
    assert "read_store_version" not in script.text


def test_names_are_quoted():
    """Whatever schemas and roles are called."""
    (script,) = grants("postgresql://owner@host/db?schema=my%20log", Roles('the "writer"', "p'r", "r"))
    assert 'GRANT EXECUTE ON FUNCTION "my log".append_batch TO "the ""writer""";' in script.text
    assert """to_regrole('"p''r"')""" in script.text
    assert all(each.startswith(("BEGIN", "DO", "REVOKE", "GRANT", "ALTER", "COMMIT")) for each in script.statements)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("a", "a", "b"), "must be three"),
        (("", "b", "c"), "no name of a role"),
        (("x" * 64, "b", "c"), "no name of a role"),
        (("a$make$", "b", "c"), "no name of a role"),
        (("a\nb", "b", "c"), "no name of a role"),
        (("owner", "b", "c"), "who connects and makes the tables"),
    ],
)
def test_names_that_cannot_be_are_refused(names, says):
    """Before anything is printed."""
    with pytest.raises(ValueError, match=says):
        grants("postgresql://owner@host/db", Roles(*names))
