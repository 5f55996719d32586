"""Random writes, reads, restarts and cache failures: no answer is older than promised, and none is another tenant's.

Amounts only grow, so an answer is as fresh as promised if it is not below what the database itself said before it was
asked for, and not made up if it is not above what the database says after. Each tenant's amounts end in a digit of its
own. Several processes are played by several openings of the same stores; one of each tenant's projects, the others see
what it has done in the read store only.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.accounts import Balance, Balances, Deposited, Entries, bank
from tests.askers import asker_of
from tests.servers.valkey import LocalValkey

from headwater.messages import Cache, Query
from headwater.queries.shared import open_shared_cache
from headwater.read_store import Reader
from headwater.testing import ControlledClock

TENANTS = 3
ACCOUNTS = "abcd"
STEPS = 250
LATE_SECONDS = 15


class One(Query[int], cache=Cache(shared=True)):
    account: str


class Total(Query[int], cache=Cache(shared=True, size=2)):
    least: int = 0


class LateTotal(Query[int], cache=Cache(shared=True, max_staleness=10, stale_while_revalidate=5)):
    pass


async def one(query: One, balances: Reader[Balance]) -> int:
    row = await balances.get(query.account)
    return 0 if row is None else row.amount


async def total(query: Total, balances: Reader[Balance]) -> int:
    return sum(row.amount for row in await balances.all())


async def late_total(query: LateTotal, balances: Reader[Balance]) -> int:
    return sum(row.amount for row in await balances.all())


HANDLERS = (one, total, late_total)


class Process:
    """An opening of a tenant's stores, with an asker that may be started anew."""

    def __init__(self, tenant: int, desk: Any, model: Model) -> None:
        self.tenant = tenant
        self.desk = desk
        self._model = model
        self.restart()

    def restart(self) -> None:
        """Forget what this process kept."""
        model = self._model
        self.asker = asker_of(self.desk, *HANDLERS, clock=model.clock, shared=model.shared, now=lambda: model.seconds)

    async def seen(self, query: Any) -> int:
        """What the database itself says."""
        rows: Reader[Balance] = self.desk.rows.reader(Balance)
        return await one(query, rows) if isinstance(query, One) else await total(query, rows)


class Model:
    """The tenants, what happens to them, and what was seen when."""

    def __init__(self, seed: int, valkey: LocalValkey, shared: Any) -> None:
        self.random = random.Random(seed)
        self.valkey = valkey
        self.shared = shared
        self.clock = ControlledClock()
        self.seconds = 0.0
        self.processes: list[Process] = []
        self.totals: list[list[tuple[float, int]]] = [[] for _ in range(TENANTS)]
        self.asked = 0
        self.done: Counter[str] = Counter()

    def projecting(self, tenant: int) -> Process:
        """The process of a tenant that projects."""
        return next(process for process in self.processes if process.tenant == tenant)

    async def write(self) -> None:
        """Money comes in somewhere; whether it is projected at once or later is left to chance."""
        desk = self.projecting(self.random.randrange(TENANTS)).desk
        await desk.append(Deposited(account=self.random.choice(ACCOUNTS), amount=10))
        if self.random.random() < 0.5:
            await desk.caught_up()

    async def ask(self) -> None:
        """Any process is asked anything, also many at once."""
        process = self.random.choice(self.processes)
        query = self.random.choice(
            [One(account=self.random.choice(ACCOUNTS)), Total(least=self.random.randrange(3)), LateTotal()]
        )
        before = await process.seen(query)
        answers = await asyncio.gather(*(process.asker.ask(query) for _ in range(self.random.choice((1, 1, 5)))))
        after = await process.seen(query)
        least = self._promised(process.tenant) if isinstance(query, LateTotal) else before
        assert all(least <= answer <= after for answer in answers), (query, least, answers, after)
        self._check_tenant(query, process.tenant, answers)
        self.asked += len(answers)

    async def pass_time(self) -> None:
        """Note what everybody could see until now, and move on."""
        for tenant in range(TENANTS):
            self.totals[tenant].append((self.seconds, await self.projecting(tenant).seen(Total())))
        self.seconds += self.random.choice((1, 4, 11, 20))

    async def restart(self) -> None:
        """A process forgets what it kept; what is shared is still there."""
        process = self.random.choice(self.processes)
        await self.end(process)
        process.restart()

    async def end(self, process: Process) -> None:
        """Close its asker, and note what it did."""
        await process.asker.close()
        stats = process.asker.cache.stats
        self.done.update(hits=stats.hits, shared=stats.shared_hits, stale=stats.stale, misses=stats.misses)

    async def rebuild(self) -> None:
        """A projection is built anew."""
        await self.projecting(self.random.randrange(TENANTS)).desk.follower.rebuild("Balances")

    async def trouble(self) -> None:
        """The shared cache goes, comes, stands still, forgets, or is filled with garbage."""
        kind = self.random.choice(("stop", "start", "hold up", "go on", "flush", "garbage", "swap"))
        if kind == "stop":
            self.valkey.stop()
        elif kind == "start" and not self.valkey.is_up:
            self.valkey.start()
        elif kind == "hold up":
            self.valkey.hold_up()
        else:
            self.valkey.go_on()
        if self.valkey.is_up and kind in ("flush", "garbage", "swap"):
            self._damage(kind)

    def _damage(self, kind: str) -> None:
        keys = self.valkey.run("KEYS", "*")
        values = [self.valkey.run("GET", key) for key in keys]
        if kind == "flush":
            self.valkey.run("FLUSHDB")
        elif kind == "garbage":
            for key, value in zip(keys, values, strict=True):
                self.valkey.run("SET", key, self.random.choice((b"", b"x", value[:-1], value[:20] + b"x" + value[21:])))
        else:
            self.random.shuffle(values)
            for key, value in zip(keys, values, strict=True):
                self.valkey.run("SET", key, value)

    def _promised(self, tenant: int) -> int:
        return max((seen for at, seen in self.totals[tenant] if at < self.seconds - LATE_SECONDS), default=0)

    def _check_tenant(self, query: Any, tenant: int, answers: list[int]) -> None:
        digit = tenant + 1 if isinstance(query, One) else (tenant + 1) * len(ACCOUNTS) % 10
        assert all(answer % 10 == digit for answer in answers), (query, tenant, answers)


async def play(seed: int, url_of: Callable[[int], str], valkey: LocalValkey, logs: Callable[[int], str]) -> Model:
    """Some hundred random steps."""
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(open_shared_cache(f"{valkey.url}?timeout=0.02"))
        model = Model(seed, valkey, shared)
        for tenant in range(TENANTS):
            desk = await stack.enter_async_context(bank(Balances, Entries, events=logs(tenant), rows=url_of(tenant)))
            await desk.append(*(Deposited(account=account, amount=tenant + 1) for account in ACCOUNTS))
            await desk.caught_up()
            model.processes.append(Process(tenant, desk, model))
        for tenant in range(TENANTS):
            opening = bank(
                Balances, Entries, events=model.processes[tenant].desk.events, rows=url_of(tenant), follow=False
            )
            model.processes.append(Process(tenant, await stack.enter_async_context(opening), model))
        steps: list[Callable[[], Awaitable[None]]] = [model.write, model.ask, model.pass_time]
        steps += [model.restart, model.rebuild, model.trouble]
        for step in model.random.choices(steps, weights=(30, 55, 8, 4, 1, 6), k=STEPS):
            await step()
        for process in model.processes:
            await model.end(process)
        valkey.go_on()
        assert model.done.keys() >= {"hits", "shared", "stale", "misses"}
        return model


@pytest.mark.parametrize("seed", range(4))
async def test_on_sqlite(seed, tmp_path, local_valkey):
    """Each tenant has files of its own; the shared cache is everybody's."""
    model = await play(
        seed, lambda n: f"sqlite:///{tmp_path}/{n}.rows.db", local_valkey, lambda n: f"sqlite:///{tmp_path}/{n}.db"
    )
    assert model.asked > STEPS / 3


@pytest.mark.parametrize("seed", range(4, 6))
async def test_on_postgresql(seed, postgres_server, local_valkey):
    """Each tenant has a database of its own."""
    urls = [postgres_server.fresh_database() for _ in range(TENANTS)]
    try:
        model = await play(seed, urls.__getitem__, local_valkey, lambda n: "memory:")
        assert model.asked > STEPS / 3
    finally:
        for url in urls:
            postgres_server.drop_database(url)


async def test_what_one_process_made_another_takes_over(tmp_path, local_valkey):
    """The model would also hold without a shared cache; so here it is seen at work, and its damage repelled."""
    url = f"sqlite:///{tmp_path}/rows.db"
    async with bank(Balances, rows=url) as desk, open_shared_cache(local_valkey.url) as shared:
        await desk.append(Deposited(account="a", amount=5))
        await desk.caught_up()
        askers = [asker_of(desk, *HANDLERS, clock=ControlledClock(), shared=shared) for _ in range(3)]
        assert await askers[0].ask(One(account="a")) == 5
        while not (keys := local_valkey.run("KEYS", "*")):  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0)
        assert await askers[1].ask(One(account="a")) == 5
        (key,) = keys
        local_valkey.run("SET", key, local_valkey.run("GET", key)[:-1] + b"!")
        assert await askers[2].ask(One(account="a")) == 5
        assert [(a.cache.stats.misses, a.cache.stats.shared_hits) for a in askers] == [(1, 0), (0, 1), (1, 0)]
        for asker in askers:
            await asker.close()
