"""Projecting into tables of one's own: exactly once, killed or raced, with plain and asynchronous sessions."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import pytest

from headwater import App, Event, Tag
from headwater.errors import ProjectionFailed

sa = pytest.importorskip("sqlalchemy")

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine  # noqa: E402  after the skip
from sqlalchemy.orm import sessionmaker  # noqa: E402  as above

from headwater.own_tables import OwnTables, checkpoint_table  # noqa: E402  as above

_ROOT = Path(__file__).parent.parent.parent


class Paid(Event):
    account: Annotated[str, Tag("account")]
    amount: int


APP = App("bank", Paid)
METADATA = sa.MetaData()
PAYMENTS = sa.Table(
    "payments", METADATA, sa.Column("position", sa.BigInteger, primary_key=True), sa.Column("amount", sa.Integer)
)
SUMS = sa.Table("sums", METADATA, sa.Column("account", sa.String(9), primary_key=True), sa.Column("amount", sa.Integer))
CHECKPOINTS = checkpoint_table(METADATA)


def apply(session, events):
    """A row for each payment, and a sum that would tell if one counted twice."""
    for recorded in events:
        account, amount = recorded.event.account, recorded.event.amount
        session.execute(sa.insert(PAYMENTS).values(position=recorded.position, amount=amount))
        raised = sa.update(SUMS).where(SUMS.c.account == account).values(amount=SUMS.c.amount + amount)
        if not session.execute(raised).rowcount:
            session.execute(sa.insert(SUMS).values(account=account, amount=amount))


async def apply_async(session, events):
    """The same, awaited."""
    await session.run_sync(apply, events)


@pytest.fixture(params=["sqlite", "sqlite+aiosqlite", "postgresql+psycopg", "postgresql+asyncpg"])
async def sessions(request, tmp_path):
    """A factory of sessions on tables of one's own, and the function that fits it."""
    kind, _, driver = request.param.partition("+")
    for module in filter(None, (driver, "greenlet" if driver in {"aiosqlite", "asyncpg"} else "")):
        pytest.importorskip(module)
    if kind == "sqlite":
        url = f"{request.param}:///{tmp_path}/own.db"
    else:
        url = request.getfixturevalue("postgres_url").replace("postgresql:", f"{request.param}:")
    if driver in {"aiosqlite", "asyncpg"}:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        yield async_sessionmaker(engine), apply_async
        await engine.dispose()
        return
    plain = sa.create_engine(url)
    METADATA.create_all(plain)
    yield sessionmaker(plain), apply
    plain.dispose()


def own(sessions, **options):
    """The projection under test."""
    factory, function = sessions
    return OwnTables("payments", [Paid], function, sessions=factory, checkpoints=CHECKPOINTS, **options)


async def pay(desk, *amounts):
    """Append payments into one account."""
    await desk.event_store.append([desk.codec.encode_event(Paid(account="a", amount=each)) for each in amounts])


async def stored(projection):
    """What the tables hold: how many payments, their sum, and the sum that was kept up."""
    async with projection._session() as run:

        def look(session):
            paid = session.execute(sa.select(sa.func.count(), sa.func.sum(PAYMENTS.c.amount))).one()
            return (*paid, session.scalar(sa.select(SUMS.c.amount)))

        return await run(look)


async def test_rows_and_checkpoint_move_together(sessions):
    """Batch by batch; a further run does only what is new."""
    projection = own(sessions, batch=3)
    async with APP.open("memory:") as desk:
        assert await projection.catch_up(desk) == 0
        await pay(desk, *range(1, 11))
        assert await projection.catch_up(desk) == 10
        assert await stored(projection) == (10, 55, 55)
        assert await projection.catch_up(desk) == 10
        await pay(desk, 100)
        assert await projection.catch_up(desk) == 11
        assert await stored(projection) == (11, 155, 155)


async def test_two_at_once_count_each_event_once(sessions):
    """Who comes second takes its work back and goes on from where the other is."""
    async with APP.open("memory:") as desk:
        await pay(desk, *range(1, 41))
        racers = [own(sessions, batch=2) for _ in range(2)]
        for racer in racers[1:]:
            assert await racer.position() == 0
        outcomes = await asyncio.gather(*(racer.catch_up(desk) for racer in racers), return_exceptions=True)
        assert 40 in outcomes  # SQLite may say that the file was busy; then nothing was stored either
        assert await stored(racers[0]) == (40, 820, 820)


async def test_what_is_appended_between_two_looks_counts_once(sessions):
    """The checkpoint stands where the page was read, not where the log ended before."""

    class Busy:
        """A log to which somebody appends as soon as it was asked where it ends."""

        def __init__(self, desk):
            self.event_store, self.codec, self.read = self, desk.codec, desk.event_store.read
            self._desk, self._more = desk, [5, 6]

        async def head(self):
            head = await self._desk.event_store.head()
            if self._more:
                await pay(self._desk, self._more.pop())
            return head

    projection = own(sessions)
    async with APP.open("memory:") as desk:
        await pay(desk, 1)
        busy = Busy(desk)
        for _ in range(3):
            await projection.catch_up(busy)
        assert await stored(projection) == (3, 12, 12)


@pytest.mark.parametrize(("amounts", "position", "rows"), [((1, 2, 3, -4), 2, (2, 3, 3)), ((-1,), 0, (0, None, None))])
async def test_an_event_that_fails_stores_nothing_of_its_batch(sessions, amounts, position, rows):
    """And the error says where. In the first batch there is no checkpoint then, so that it is not skipped."""
    factory, function = sessions

    def failing(session, events):
        if any(recorded.event.amount < 0 for recorded in events):
            raise ValueError("below nothing")
        return function(session, events)

    projection = OwnTables("payments", [Paid], failing, sessions=factory, checkpoints=CHECKPOINTS, batch=2)
    async with APP.open("memory:") as desk:
        await pay(desk, *amounts)
        with pytest.raises(ProjectionFailed, match=f"position {position + 1}"):
            await projection.catch_up(desk)
        assert await projection.position() == position
        assert await stored(projection) == rows


async def test_it_goes_on_with_a_log_that_grows(sessions):
    """Until it is cancelled."""
    projection = own(sessions)
    async with APP.open("memory:") as desk:
        following = asyncio.create_task(projection.follow(desk))
        for amount in (1, 2, 3):
            await pay(desk, amount)
            async with asyncio.timeout(20):
                while await projection.position() < amount:
                    pass
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        assert await stored(projection) == (3, 6, 6)


@asynccontextmanager
async def bank(directory):
    """A log, and tables of one's own beside it."""
    engine = sa.create_engine(f"sqlite:///{directory}/own.db")
    METADATA.create_all(engine)
    projection = OwnTables("payments", [Paid], apply, sessions=sessionmaker(engine), checkpoints=CHECKPOINTS, batch=5)
    async with APP.open(f"sqlite:///{directory}/log.db", follow=False) as desk:
        yield desk, projection
    engine.dispose()


async def project_until_killed(directory):
    """Append and project for ever, and say how far it is."""
    async with bank(directory) as (desk, projection):
        while True:
            await pay(desk, *range(1, 18))
            sys.stdout.write(f"{await projection.catch_up(desk)}\n")
            sys.stdout.flush()


def killed_after(directory, lines):
    """Let a process append and project, and kill it when it has said so many lines."""
    program = f"import asyncio; from {__name__} import *; asyncio.run(project_until_killed({str(directory)!r}))"
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=environment) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)


async def test_a_killed_process_leaves_each_event_counted_once(tmp_path):
    """Five times on the same files, at some moment each."""
    for lines in (1, 2, 5, 9, 14):
        killed_after(tmp_path, lines)
        async with bank(tmp_path) as (_, projection):
            position = await projection.position()
            count, paid, kept = await stored(projection)
            assert (count, paid) == (position, kept)
    async with bank(tmp_path) as (desk, projection):
        head = await projection.catch_up(desk)
        assert head == await desk.event_store.head()
        assert (await stored(projection))[0] == head
