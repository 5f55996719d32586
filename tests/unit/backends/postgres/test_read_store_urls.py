from __future__ import annotations

import pytest

from headwater.backends.postgres.row_connections import RowServer
from headwater.errors import MissingExtra, UnsupportedUrl
from headwater.read_store import open_read_store, read_store_url


def test_options_of_the_store_and_of_the_driver_are_told_apart():
    """The driver's stay in its address."""
    server = RowServer.of_url("postgresql://me:secret@host/desk?schema=rows&sslmode=require&pool_size=3&role=desk_app")
    assert server.address == "postgresql://me:secret@host/desk?sslmode=require"
    assert (server.schema, server.pool_size, server.role) == ("rows", 3, "desk_app")


def test_without_options_there_are_good_ones():
    """A schema of its own above all."""
    server = RowServer.of_url("postgresql://host/desk")
    assert (server.address, server.schema) == ("postgresql://host/desk", "headwater_read")
    assert server.reading["default_transaction_read_only"] == "on"
    assert server.reading["statement_timeout"] == "60000ms"
    assert "role" not in server.writing
    assert server.writing["synchronous_commit"] == "on"


def test_roles_and_limits_become_settings_of_the_connections():
    """A reader's own role goes before the common one."""
    server = RowServer.of_url("postgresql://host/desk?role=filler&reader_role=asker&statement_timeout=1.5")
    assert (server.writing["role"], server.reading["role"]) == ("filler", "asker")
    assert server.reading["statement_timeout"] == "1500ms"
    assert "statement_timeout" not in server.writing


@pytest.mark.parametrize(
    "options",
    [
        *("durability=none", "pool_size=many", "pool_size=0", "pool_timeout=0", "statement_timeout=-1", "schema="),
        f"schema={'x' * 64}",
    ],
)
def test_options_that_mean_nothing_are_refused(options):
    """The error shows the URL without its password."""
    with pytest.raises(UnsupportedUrl) as refused:
        RowServer.of_url(f"postgresql://me:secret@host/desk?{options}")
    assert "me@host/desk" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("log", "rows"),
    [
        ("postgresql://host/desk", "postgresql://host/desk"),
        ("postgresql://host/desk?durability=relaxed", "postgresql://host/desk"),
        ("postgresql://host/desk?sslmode=require&pool=9", "postgresql://host/desk?sslmode=require"),
        ("postgres://host/desk?schema=desk", "postgres://host/desk?schema=desk_read"),
    ],
)
def test_read_models_stand_beside_the_log(log, rows):
    """In the same database, in another schema, by the same way to connect."""
    assert read_store_url(log) == rows


async def test_without_the_driver_the_extra_is_named(monkeypatch):
    """As for everything that is not part of the core."""
    monkeypatch.setitem(__import__("sys").modules, "asyncpg", None)
    with pytest.raises(MissingExtra, match=r"headwater\[postgres\]"):
        async with open_read_store("postgresql://host/desk"):
            pass
