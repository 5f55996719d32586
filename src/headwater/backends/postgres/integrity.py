"""What only PostgreSQL can say of a log: its server, its schema and triggers, its index.

Reads: connection.py, schema.py. Read next: headwater/integration/verify.py (what holds for every backend).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from headwater.backends.postgres.connection import PostgresLog, open_connection, say_goodbye
from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.errors import translated
from headwater.backends.postgres.event_store import EVENT_LOG_SCHEMA
from headwater.backends.postgres.row_connections import RowServer
from headwater.backends.postgres.row_writing import READ_STORE_SCHEMA
from headwater.backends.postgres.schema import found_version
from headwater.backends.postgres.statements import statement
from headwater.errors import StoreIOError
from headwater.integration.verify import Check, checked

_MOST_FAULTS = 100
_PATIENCE_SECONDS = 3_600.0
_CHECKS = (
    ("every event has a type", "events_without_type", "type number {} has no name"),
    ("every tag of an event is indexed", "tags_missing_in_index", "{} is not indexed"),
    ("every index entry is a tag of its event", "tags_only_in_index", "the index says {}, the event does not"),
)
_FUNCTION = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION (\w+).*?\$\$(.*?)\$\$", re.DOTALL)
_COPY = re.compile(r"pg_get_functiondef\('(\w+)'::regproc\).*?'FUNCTION (\w+)\('", re.DOTALL)
_TRIGGER = re.compile(r"CREATE TRIGGER (\w+)")


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The server of a log, and what the role of the URL may do. ``is_durable`` says that commits survive a crash."""

    server_version: str
    major_version: int
    is_replica: bool
    is_durable: bool
    isolation: str
    role_name: str
    may_append: bool
    schema_version: int
    known_version: int


async def existing_schema(url: str) -> None:
    """Look whether the URL's schema has a log. Raises ``StoreIOError`` if not, for those who must not make one."""
    if not await log_version(url):
        place = PostgresLog.of_url(url).place
        remedy = "give the URL of a log, send a command first, or run `headwater migrate`"
        raise StoreIOError(f"there is no log in {place}", remedy=remedy, place=place)


async def log_version(url: str) -> int:
    """The version of the log's schema, 0 if there is none. Raises ``StoreError``."""
    async with _looking(url) as (connection, log):
        return await found_version(connection, EVENT_LOG_SCHEMA, log.schema)


async def read_store_version(url: str) -> int:
    """The version of the read store's schema, 0 if there is none. Raises ``StoreError``."""
    server = RowServer.of_url(url)
    async with _looking(server.address) as (connection, _):
        return await found_version(connection, READ_STORE_SCHEMA, server.schema)


async def server_facts(url: str) -> ServerFacts:
    """How the log's server is set up. Changes nothing. Raises ``StoreError`` if it cannot be reached."""
    async with _looking(url) as (connection, log):
        (found,) = await connection.fetch(statement("load_server_facts"), log.schema)
        version = await found_version(connection, EVENT_LOG_SCHEMA, log.schema)
    values = dict(zip(ServerFacts.__struct_fields__, found, strict=False))
    return ServerFacts(**values, schema_version=version, known_version=EVENT_LOG_SCHEMA.version)


async def log_checks(url: str) -> tuple[Check, ...]:
    """The schema with its triggers and functions, then the tag index, both ways.

    Raises ``StoreError`` if the log cannot even be reached.
    """
    async with _looking(url) as (connection, log):
        checks = [await _schema_check(connection, log.schema)]
        checks += [await _checked(connection, log, *each) for each in _CHECKS]
    return tuple(checks)


@asynccontextmanager
async def _looking(url: str) -> AsyncGenerator[tuple[Connection, PostgresLog], None]:
    """A connection of its own to the URL's database, for the block."""
    log = PostgresLog.of_url(url)
    connection = await open_connection(log)
    try:
        with translated(log.place):
            yield connection, log
    finally:
        await say_goodbye(connection)


async def _checked(connection: Connection, log: PostgresLog, name: str, sql: str, fault: str) -> Check:
    count = await connection.fetchval(f"SELECT count(*) FROM {log.quoted_schema}.events")  # noqa: S608  a quoted name
    text = statement(sql).replace("{schema}", log.quoted_schema)
    rows = await connection.fetch(text, _MOST_FAULTS, timeout=_PATIENCE_SECONDS)
    return checked(name, count, [f"{position}: {fault.format(what)}" for position, what in rows])


async def _schema_check(connection: Connection, schema: str) -> Check:
    """What stands otherwise than the migrations say: somebody may have gone round what keeps events immutable."""
    versions = range(1, EVENT_LOG_SCHEMA.version + 1)
    migrations = [statement(f"{EVENT_LOG_SCHEMA.name}_{version:03}") for version in versions]
    functions = {row[0]: row[1] for row in await connection.fetch(statement("load_functions"), schema)}
    triggers = {row[0]: row[1] for row in await connection.fetch(statement("load_triggers"), schema)}
    faults = [*_function_faults(migrations, functions), *_trigger_faults(migrations, triggers)]
    invalid = await connection.fetch(statement("load_invalid_indexes"), schema)
    faults += [f"index {name} is not valid" for (name,) in invalid]
    name = "the schema's functions and immutability triggers are in place"
    return checked(name, len(functions) + len(triggers), faults)


def _function_faults(migrations: Sequence[str], found: Mapping[str, str]) -> Iterator[str]:
    expected: dict[str, str] = {}
    for migration in migrations:  # the last one's word counts; what it copies under another name goes on as it was
        expected |= {copy: expected[name] for name, copy in _COPY.findall(migration)}
        expected |= dict(_FUNCTION.findall(migration))
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"function {name} is missing"
        elif name not in expected:
            yield f"function {name} does not belong here"
        elif found[name] != expected[name]:
            yield f"function {name} was changed"


def _trigger_faults(migrations: Sequence[str], found: Mapping[str, bool]) -> Iterator[str]:
    for name in _TRIGGER.findall("\n".join(migrations)):
        if name not in found:
            yield f"trigger {name} is missing"
        elif not found[name]:
            yield f"trigger {name} is switched off"
