"""URLs of logs, and connections."""

from __future__ import annotations

import pytest

from headwater.backends.postgres.connection import Lanes, PostgresLog, without_password
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
    ["?colour=red", "?pool=many", "?pool=0", "?durability=none", "?schema=", f"?schema={'x' * 64}", "?poll=0"],
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
