"""URLs of logs, and connections."""

from __future__ import annotations

import pytest

from headwater.backends.postgres.connection import Lanes, PostgresLog, without_password
from headwater.backends.postgres.row_connections import RowServer
from headwater.errors import StoreIOError, UnsupportedUrl
from headwater.event_store import open_store

URL = "postgresql://ann:secret@db.example:5433/desk"


def test_options_of_the_log_are_ours_and_the_rest_is_the_drivers():
    """Which is refused if neither knows it."""
    read = "postgresql%3A%2F%2Freplica%2Fdesk"
    log = PostgresLog.of_url(f"{URL}?schema=logs&pool=3&read_url={read}&statement_cache_size=0&sslmode=require")
    assert (log.schema, log.pool, log.read_url) == ("logs", 3, "postgresql://replica/desk")
    assert log.dsn == f"{URL}?sslmode=require"
    assert log.statement_cache_size == 0


@pytest.mark.parametrize(
    "rest",
    [
        *("?colour=red", "?pool=many", "?pool=0", "?durability=none", "?poll=0", "?poll=nan", "?timeout=inf"),
        *("?schema=", f"?schema={'x' * 64}", "?schema=pg_logs", "?schema=a%00b", "?statement_cache_size=-1"),
        *("?read_url=elsewhere", "?read_url=postgresql://ann:secret@replica/desk?colour=red"),
    ],
)
def test_a_bad_option_is_refused_without_telling_the_password(rest):
    """The error says what is known."""
    with pytest.raises(UnsupportedUrl) as refusal:
        PostgresLog.of_url(URL + rest)
    assert refusal.value.remedy
    assert "secret" not in f"{refusal.value} {refusal.value.fields}"


def test_a_database_must_be_named():
    """The user's own one is not taken by mistake."""
    with pytest.raises(UnsupportedUrl):
        PostgresLog.of_url("postgresql://host")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:secret#?@db.example/desk",
        "postgresql://ann:secret/@db.example/desk",
        "postgresql://ann:secret?@db.example/desk",
        "postgresql://ann:secret@db.example:seventy/desk",
        "postgresql://ann:secret@db.example:70000/desk",
        "postgresql://ann:secret@[::1/desk",
    ],
)
def test_an_address_that_cannot_be_is_refused_with_what_to_write_instead(url):
    """A password that ends too early is not told either."""
    for opened in (PostgresLog.of_url, RowServer.of_url):
        with pytest.raises(UnsupportedUrl, match="%40") as refusal:
            opened(url)
        assert "secret" not in f"{refusal.value} {refusal.value.fields}"


def test_several_servers_may_be_named():
    """The driver takes the first that answers."""
    assert PostgresLog.of_url("postgresql://ann@one:5432,[::1]:5433,three/desk").dsn.endswith("three/desk")


def test_passwords_are_not_shown():
    """Whatever they look like."""
    assert without_password("postgresql://a:b%40c@h/d?password=x") == "postgresql://a@h/d"
    assert without_password("postgresql://h/d") == "postgresql://h/d"
    assert "secret" not in PostgresLog.of_url(URL).place


async def test_a_server_that_is_not_there():
    """The error says where it was looked for."""
    with pytest.raises(StoreIOError) as refusal:
        async with open_store("postgresql://ann:secret@127.0.0.1:1/desk"):
            pass
    assert "127.0.0.1:1" in refusal.value.message
    assert "secret" not in str(refusal.value)


async def test_a_replica_that_is_not_there_is_called_by_its_own_address(postgres_url):
    """Not by that of the primary, which is well."""
    async with open_store(f"{postgres_url}?read_url=postgresql://ann:secret@127.0.0.1:1/desk") as store:
        with pytest.raises(StoreIOError, match=r"ann@127\.0\.0\.1:1/desk") as refusal:
            await store.read()
    assert "secret" not in str(refusal.value)


async def test_what_the_driver_says_is_passed_on(postgres_server):
    """Else nobody knows which of an address's options is at fault."""
    with pytest.raises(StoreIOError, match="SSL"):
        async with open_store(f"{postgres_server.url}?sslmode=require"):
            pass


async def test_a_database_that_is_not_there(postgres_server):
    """It is not made: that needs rights which an application should not have."""
    with pytest.raises(StoreIOError) as refusal:
        async with open_store(postgres_server.url_of("nowhere")):
            pass
    assert refusal.value.fields["sqlstate"] == "3D000"


async def test_lanes_are_used_again(postgres_server):
    """The one that came back last is lent next; a dead one is replaced."""
    lanes = Lanes(PostgresLog.of_url(postgres_server.url))
    async with lanes.lent() as first, lanes.lent() as second:
        assert first is not second
    async with lanes.lent() as third:
        assert third is first
    first.terminate()
    async with lanes.lent() as fourth:
        assert await fourth.fetchval("SELECT 1") == 1
    await lanes.close()
    assert second.is_closed()


async def test_a_statement_that_fails_leaves_the_lane_in_use(postgres_server):
    """One that was cut is not kept, and says so."""
    lanes = Lanes(PostgresLog.of_url(postgres_server.url))
    with pytest.raises(StoreIOError):
        async with lanes.lent() as first:
            await first.fetchval("SELECT 1 / 0")
    async with lanes.lent() as second:
        assert second is first
    with pytest.raises(StoreIOError):
        async with lanes.lent() as third:
            await third.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    async with lanes.lent() as fourth:
        assert fourth is not third
    await lanes.close()
