"""Queries of every kind on 100,000 and a million rows, on SQLite and PostgreSQL. Reads: sales.py, rivals.py.

Read next: rebuild.py. Each question is asked by one task, again and again; floor, SQLAlchemy and Headwater in turn.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import partial

import msgspec

from headwater.bench import rivals
from headwater.bench.figures import Case, Group, Kind, Plan, Sample, Settings, Target
from headwater.bench.floors import fresh
from headwater.bench.logs import log_url
from headwater.bench.postgres_server import ABSENT, is_available, postgres_server
from headwater.bench.rivals import FILTERED, KEY, PAGE, REPORT, SEARCH, Step, Steps
from headwater.bench.sales import (
    FindSales,
    GetSale,
    GlanceAtSales,
    GlanceAtSums,
    Questions,
    RecallSales,
    RecallSums,
    SearchSales,
    SumUpSales,
    sale,
    sale_id,
    sales_app,
)
from headwater.bench.timing import microseconds, run
from headwater.event_store import NewEvent, open_store

_SECONDS = 0.4
_FILL_AT_ONCE = 2000
_PATIENCE_SECONDS = 600.0
PAGE_AS_ROWS = "page of 50, not encoded"
KEPT_PAGE, KEPT_REPORT = "page of 50, kept", "report, kept"
LATE_PAGE, LATE_REPORT = "page of 50, kept, at most 1 s late", "report, kept, at most 1 s late"
_NO_ALCHEMY = "SQLAlchemy is not installed: pip install 'sqlalchemy[asyncio]' aiosqlite asyncpg"
Opened = Callable[[], AbstractAsyncContextManager[Steps]]


@contextmanager
def _on_sqlite(rows: int, settings: Settings) -> Iterator[Plan]:
    rows = settings.count(rows, least=2000)
    with fresh(settings.directory) as directory:
        url, raw = log_url(directory), directory / "raw.db"
        run(_fill(url, rows))
        rivals.fill_sqlite(raw, rows)
        alchemy = f"sqlite+aiosqlite:///{raw}"
        sides: dict[str, Opened] = {"apsw": partial(rivals.apsw_steps, raw, rows)}
        yield _planned("SQLite", sides, alchemy if rivals.sqlalchemy_is_there("aiosqlite") else "", url, rows, settings)


@contextmanager
def _on_postgres(rows: int, settings: Settings) -> Iterator[Plan]:
    if not is_available():
        yield Plan(cases=(), targets=_targets("PostgreSQL", 0.5), absent=(ABSENT,))
        return
    rows = settings.count(rows, least=2000)
    with postgres_server(settings.directory) as server:
        url, raw = server.fresh_database(), server.fresh_database()
        run(_fill(url, rows))
        run(rivals.fill_postgres(raw, rows))
        server.settle(url)
        server.settle(raw)
        alchemy = raw.replace("postgresql://", "postgresql+asyncpg://") if rivals.sqlalchemy_is_there("asyncpg") else ""
        sides: dict[str, Opened] = {"asyncpg": partial(rivals.asyncpg_steps, raw, rows)}
        yield _planned("PostgreSQL", sides, alchemy, url, rows, settings)


def _planned(store: str, sides: dict[str, Opened], alchemy: str, url: str, rows: int, settings: Settings) -> Plan:
    if alchemy:
        sides |= {"Core": partial(rivals.core_steps, alchemy, rows), "ORM": partial(rivals.orm_steps, alchemy, rows)}
    sides["query"] = partial(_asked, url, rows)
    asked = {"query": _OURS, "Core": (KEY, PAGE, FILTERED, REPORT), "ORM": (KEY, PAGE, FILTERED)}
    cases = [
        _case(store, side, question, opened, settings)
        for question in _OURS
        for side, opened in sides.items()
        if question in asked.get(side, _QUESTIONS)
    ]
    limit = 0.2 if store == "SQLite" else 0.5
    return Plan(cases=tuple(cases), targets=_targets(store, limit), absent=() if alchemy else (_NO_ALCHEMY,))


def _case(store: str, side: str, question: str, opened: Opened, settings: Settings) -> Case:
    kinds: dict[str, tuple[Kind, str]] = {
        "query": ("headwater", "ask() of a query"),
        "Core": ("peer", "SQLAlchemy Core, asynchronous"),
        "ORM": ("peer", "SQLAlchemy ORM, asynchronous, a session each time"),
    }
    kind, does = kinds.get(side, ("floor", "the driver"))
    encoded = "; encoded as JSON" if question in {PAGE, FILTERED, SEARCH} else ""
    return Case(
        name=_name(store, side, question),
        kind=kind,
        unit="us",
        does=f"{does}; one task{encoded}",
        measure=lambda: run(_measured(opened, question, settings.seconds(_SECONDS))),
    )


async def _measured(opened: Opened, question: str, seconds: float) -> Sample:
    async with opened() as steps:
        step = steps[question]
        if not await step():
            raise LookupError(f"{question} finds nothing")
        return await microseconds(step, seconds)


@asynccontextmanager
async def _asked(url: str, rows: int) -> AsyncGenerator[Steps, None]:
    questions = Questions(rows)
    async with sales_app().open(url) as runtime:
        ask, encode = runtime.ask, runtime.codec.encode

        async def key() -> object:
            return await ask(GetSale(sale_id=questions.key()))

        async def page_as_rows() -> object:
            state, before = questions.page()
            return await ask(FindSales(state=state, before=before))

        async def page() -> bytes:
            return encode(await page_as_rows())

        async def filtered() -> bytes:
            state, before, region, least = questions.filtered()
            return encode(await ask(FindSales(state=state, before=before, region=region, least=least)))

        async def search() -> bytes:
            return encode(await ask(SearchSales(text=questions.words())))

        steps: dict[str, Step] = {KEY: key, PAGE: page, PAGE_AS_ROWS: page_as_rows, FILTERED: filtered, SEARCH: search}
        yield {
            **steps,
            REPORT: lambda: ask(SumUpSales()),
            KEPT_PAGE: lambda: ask(RecallSales(state="open", before=rows * 10)),
            LATE_PAGE: lambda: ask(GlanceAtSales(state="open", before=rows * 10)),
            KEPT_REPORT: lambda: ask(RecallSums()),
            LATE_REPORT: lambda: ask(GlanceAtSums()),
        }


async def _fill(url: str, rows: int) -> None:
    """The rows come from events, as they always do."""
    async with open_store(url) as store:
        for start in range(0, rows, _FILL_AT_ONCE):
            numbers = range(start, min(start + _FILL_AT_ONCE, rows))
            await store.append(
                [NewEvent("SaleMade", msgspec.json.encode(sale(n)), (f"sale:{sale_id(n)}",)) for n in numbers]
            )
    async with sales_app().open(url) as runtime:
        await runtime.caught_up(timeout=_PATIENCE_SECONDS)


def _name(store: str, side: str, question: str) -> str:
    return f"{side} {store}: {question}"


def _targets(store: str, of_core: float) -> tuple[Target, ...]:
    driver = "apsw" if store == "SQLite" else "asyncpg"
    ours = partial(_name, store, "query")
    against_core = [
        Target(
            figure=ours(question),
            against=(_name(store, "Core", question),),
            bound="at most",
            limit=of_core if question in {KEY, PAGE} else None,
        )
        for question in (KEY, PAGE, FILTERED, REPORT)
    ]
    against_orm = [
        Target(figure=ours(question), against=(_name(store, "ORM", question),), bound="at most")
        for question in (KEY, PAGE, FILTERED)
    ]
    against_driver = [
        Target(figure=ours(question), against=(_name(store, driver, question),), bound="at most")
        for question in _QUESTIONS
    ]
    # On PostgreSQL an answer that may not be late costs a look at the server, a round trip like the page itself.
    shown = () if store == "SQLite" else (KEPT_PAGE,)
    kept = [
        Target(figure=ours(kept), against=(ours(made),), bound="at most", limit=None if kept in shown else 0.05)
        for kept, made in _KEPT.items()
    ]
    return (*against_core, *against_orm, *against_driver, *kept)


_QUESTIONS = (KEY, PAGE, FILTERED, SEARCH, REPORT)
_KEPT = {KEPT_PAGE: PAGE_AS_ROWS, LATE_PAGE: PAGE_AS_ROWS, KEPT_REPORT: REPORT, LATE_REPORT: REPORT}
_OURS = (*_QUESTIONS, PAGE_AS_ROWS, *_KEPT)
_MILLION = 1_000_000

QUERIES_SQLITE = Group(
    name="queries-sqlite", title="Queries on 100,000 rows in SQLite", plan=partial(_on_sqlite, _MILLION // 10)
)
QUERIES_POSTGRES = Group(
    name="postgres-queries", title="Queries on 100,000 rows in PostgreSQL", plan=partial(_on_postgres, _MILLION // 10)
)
QUERIES_SQLITE_MILLION = Group(
    name="queries-sqlite-1m", title="Queries on a million rows in SQLite", plan=partial(_on_sqlite, _MILLION), long=True
)
QUERIES_POSTGRES_MILLION = Group(
    name="postgres-queries-1m",
    title="Queries on a million rows in PostgreSQL",
    plan=partial(_on_postgres, _MILLION),
    long=True,
)
