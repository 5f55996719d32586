"""The same questions without Headwater: on the raw drivers, and with SQLAlchemy Core and its ORM, both asynchronous.

Reads: sales.py. Read next: read_side.py. The table is made by hand with the best indexes for what is asked. Rows come
out as they do elsewhere: as structs from the drivers and from Core, as mapped objects from the ORM; pages are encoded
as JSON.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from headwater.backends.postgres.driver import connect, make_pool
from headwater.bench.floors import connected
from headwater.bench.sales import ByState, Questions, Sale, sale

Step: TypeAlias = Callable[[], Awaitable[Any]]
Steps: TypeAlias = dict[str, Step]
KEY, PAGE, FILTERED, SEARCH, REPORT = "row by key", "page of 50", "page of 50 by 3 fields", "search", "report"

_COLUMNS = "sale_id, customer, state, region, total, made_at, note"
_ORDER = "ORDER BY made_at DESC, sale_id DESC LIMIT 50"
_BY_STATE = "SELECT state, count(*), sum(total) FROM sales GROUP BY state ORDER BY state"
_ENCODE = msgspec.json.Encoder().encode
_POOL = 8


def sqlalchemy_is_there(driver: str) -> bool:
    """Whether SQLAlchemy and this asynchronous driver are installed."""
    return all(find_spec(name) is not None for name in ("sqlalchemy", "greenlet", driver))


def fill_sqlite(path: Path, rows: int) -> None:
    """Make the table, its indexes and the index of words in a file."""
    connection = connected(path)
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute(
        "CREATE TABLE sales(sale_id TEXT PRIMARY KEY, customer TEXT NOT NULL, state TEXT NOT NULL,"
        " region TEXT NOT NULL, total INTEGER NOT NULL, made_at INTEGER NOT NULL, note TEXT NOT NULL);"
        "CREATE VIRTUAL TABLE words USING fts5(note, content='sales', tokenize='unicode61')"
    )
    with connection:
        connection.executemany("INSERT INTO sales VALUES(?,?,?,?,?,?,?)", map(_values, range(rows)))
        connection.execute("INSERT INTO words(rowid, note) SELECT rowid, note FROM sales")
        connection.execute("CREATE INDEX by_state ON sales(state, made_at, sale_id)")
        connection.execute("CREATE INDEX by_region ON sales(state, region, made_at, sale_id)")
    connection.execute("ANALYZE")
    connection.close()


async def fill_postgres(url: str, rows: int) -> None:
    """The same in a database."""
    connection = await connect(url, {})
    try:
        await connection.execute(
            'CREATE TABLE sales(sale_id text COLLATE "C" PRIMARY KEY, customer text NOT NULL,'
            ' state text COLLATE "C" NOT NULL, region text COLLATE "C" NOT NULL, total bigint NOT NULL,'
            " made_at bigint NOT NULL, note text NOT NULL)"
        )
        for start in range(0, rows, 50_000):
            values = map(_values, range(start, min(start + 50_000, rows)))
            await connection.execute(
                "INSERT INTO sales SELECT * FROM unnest($1::text [], $2::text [], $3::text [], $4::text [],"
                " $5::bigint [], $6::bigint [], $7::text [])",
                *zip(*values, strict=True),
            )
        await connection.execute("CREATE INDEX by_state ON sales (state, made_at, sale_id)")
        await connection.execute("CREATE INDEX by_region ON sales (state, region, made_at, sale_id)")
        await connection.execute("CREATE INDEX by_words ON sales USING gin (to_tsvector('simple', note))")
    finally:
        await connection.close()


@asynccontextmanager
async def apsw_steps(path: Path, rows: int) -> AsyncGenerator[Steps, None]:
    """The questions on the driver of SQLite, on the thread of the event loop."""
    connection, questions = connected(path), Questions(rows)

    def found(sql: str, *values: Any) -> list[Sale]:
        return _sales(connection.execute(sql, values).fetchall())

    async def key() -> Sale:
        return found(f"SELECT {_COLUMNS} FROM sales WHERE sale_id=?", questions.key())[0]  # noqa: S608  constants

    async def page() -> bytes:
        sql = f"SELECT {_COLUMNS} FROM sales WHERE state=? AND made_at<? {_ORDER}"  # noqa: S608  as above
        return _ENCODE(found(sql, *questions.page()))

    async def filtered() -> bytes:
        where = "state=? AND made_at<? AND region=? AND total>=?"
        return _ENCODE(found(f"SELECT {_COLUMNS} FROM sales WHERE {where} {_ORDER}", *questions.filtered()))  # noqa: S608

    async def search() -> bytes:
        sql = f"SELECT {_COLUMNS} FROM sales WHERE rowid IN (SELECT rowid FROM words WHERE words MATCH ?) LIMIT 50"  # noqa: S608
        return _ENCODE(found(sql, questions.words()))

    async def report() -> list[ByState]:
        return _sums(connection.execute(_BY_STATE).fetchall())

    try:
        yield {KEY: key, PAGE: page, FILTERED: filtered, SEARCH: search, REPORT: report}
    finally:
        connection.close()


@asynccontextmanager
async def asyncpg_steps(url: str, rows: int) -> AsyncGenerator[Steps, None]:
    """The questions on the driver of PostgreSQL with its pool, whose connections are brought back as they are."""
    pool, questions = await make_pool(url, {}, size=_POOL), Questions(rows)

    async def fetched(sql: str, *values: Any) -> list[Any]:
        connection = await pool.acquire()
        try:
            return await connection.fetch(sql, *values)
        finally:
            await pool.release(connection)

    async def key() -> Sale:
        return _sales(await fetched(f"SELECT {_COLUMNS} FROM sales WHERE sale_id = $1", questions.key()))[0]  # noqa: S608

    async def page() -> bytes:
        sql = f"SELECT {_COLUMNS} FROM sales WHERE state = $1 AND made_at < $2 {_ORDER}"  # noqa: S608
        return _ENCODE(_sales(await fetched(sql, *questions.page())))

    async def filtered() -> bytes:
        where = "state = $1 AND made_at < $2 AND region = $3 AND total >= $4"
        sql = f"SELECT {_COLUMNS} FROM sales WHERE {where} {_ORDER}"  # noqa: S608
        return _ENCODE(_sales(await fetched(sql, *questions.filtered())))

    async def search() -> bytes:
        where = "to_tsvector('simple', note) @@ plainto_tsquery('simple', $1)"
        return _ENCODE(_sales(await fetched(f"SELECT {_COLUMNS} FROM sales WHERE {where} LIMIT 50", questions.words())))  # noqa: S608

    async def report() -> list[ByState]:
        return _sums(await fetched(_BY_STATE))

    try:
        yield {KEY: key, PAGE: page, FILTERED: filtered, SEARCH: search, REPORT: report}
    finally:
        await pool.close()


@asynccontextmanager
async def core_steps(url: str, rows: int) -> AsyncGenerator[Steps, None]:
    """The questions with SQLAlchemy Core on an asynchronous engine, its own pool and its cache of statements."""
    async with _engine(url) as engine:
        alchemy: Any = import_module("sqlalchemy")
        table, questions = _mapped().__table__, Questions(rows)
        columns = table.c

        async def fetched(statement: Any) -> list[Any]:
            async with engine.connect() as connection:
                found: list[Any] = (await connection.execute(statement)).all()
                return found

        async def key() -> Sale:
            return _sales(await fetched(alchemy.select(table).where(columns.sale_id == questions.key())))[0]

        async def page() -> bytes:
            return _ENCODE(_sales(await fetched(_page(alchemy.select(table), columns, *questions.page()))))

        async def filtered() -> bytes:
            return _ENCODE(_sales(await fetched(_page(alchemy.select(table), columns, *questions.filtered()))))

        async def report() -> list[ByState]:
            sums = (columns.state, alchemy.func.count(), alchemy.func.sum(columns.total))
            statement = alchemy.select(*sums).group_by(columns.state).order_by(columns.state)
            return _sums(await fetched(statement))

        yield {KEY: key, PAGE: page, FILTERED: filtered, REPORT: report}


@asynccontextmanager
async def orm_steps(url: str, rows: int) -> AsyncGenerator[Steps, None]:
    """The questions with the ORM, a session for each as for each request of a server."""
    async with _engine(url) as engine:
        alchemy: Any = import_module("sqlalchemy")
        session_of: Any = import_module("sqlalchemy.ext.asyncio").async_sessionmaker(engine, expire_on_commit=False)
        mapped, questions = _mapped(), Questions(rows)

        async def found(statement: Any) -> list[Any]:
            async with session_of() as session:
                rows_found: list[Any] = (await session.scalars(statement)).all()
                return rows_found

        async def key() -> Any:
            async with session_of() as session:
                return await session.get(mapped, questions.key())

        async def page() -> bytes:
            objects = await found(_page(alchemy.select(mapped), mapped, *questions.page()))
            return _ENCODE([_of_object(each) for each in objects])

        async def filtered() -> bytes:
            objects = await found(_page(alchemy.select(mapped), mapped, *questions.filtered()))
            return _ENCODE([_of_object(each) for each in objects])

        yield {KEY: key, PAGE: page, FILTERED: filtered}


def _page(statement: Any, columns: Any, state: str, before: int, region: str | None = None, least: int = 0) -> Any:
    asked = statement.where(columns.state == state, columns.made_at < before)
    if region is not None:
        asked = asked.where(columns.region == region, columns.total >= least)
    return asked.order_by(columns.made_at.desc(), columns.sale_id.desc()).limit(50)


@asynccontextmanager
async def _engine(url: str) -> AsyncGenerator[Any, None]:
    engine: Any = import_module("sqlalchemy.ext.asyncio").create_async_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()


def _mapped() -> Any:
    """The mapped class, as a user of the library writes it; made at run time because the library is optional."""
    alchemy: Any = import_module("sqlalchemy")
    orm: Any = import_module("sqlalchemy.orm")
    text, number, column = alchemy.Text, alchemy.BigInteger, orm.mapped_column
    body = {
        "__tablename__": "sales",
        "sale_id": column(text, primary_key=True),
        **{name: column(number if name in {"total", "made_at"} else text) for name in _COLUMNS.split(", ")[1:]},
    }
    return type("MappedSale", (orm.declarative_base(),), body)


def _values(number: int) -> tuple[Any, ...]:
    made = sale(number)
    return made.sale_id, made.customer, made.state, made.region, made.total, made.made_at, made.note


def _sales(rows: Iterable[Iterable[Any]]) -> list[Sale]:
    return [
        Sale(sale_id=key, customer=customer, state=state, region=region, total=total, made_at=made_at, note=note)
        for key, customer, state, region, total, made_at, note in rows
    ]


def _of_object(found: Any) -> Sale:
    return Sale(
        sale_id=found.sale_id,
        customer=found.customer,
        state=found.state,
        region=found.region,
        total=found.total,
        made_at=found.made_at,
        note=found.note,
    )


def _sums(rows: Iterable[Iterable[Any]]) -> list[ByState]:
    return [ByState(state=state, sales=sales, total=int(total)) for state, sales, total in rows]
