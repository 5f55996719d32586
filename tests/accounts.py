"""A small domain for the tests of the read side: accounts whose rows tell whether an event was missed or came twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec

from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.event_store import open_store
from headwater.followers import Follower, Progress, Retry
from headwater.messages import Event, Recorded, Tag
from headwater.projections import projectors
from headwater.read_models import Indexed, Key, Projection, ReadModel, on, projection_plan
from headwater.read_store import open_read_store

AccountId = Annotated[str, Tag("account")]
QUICK = Retry(attempts=3, first_seconds=0.001, longest_seconds=0.002)
STRICT = Retry(attempts=3, first_seconds=0.001, longest_seconds=0.002, most_parked=0)
"""Stops a projection at its first fault, instead of parking the sequence."""


class Opened(Event):
    """An account is there."""

    account: AccountId
    owner: str = ""


class Deposited(Event):
    """Money came in."""

    account: AccountId
    amount: int


class Moved(Event):
    """Money went from one account to another."""

    source: AccountId
    target: AccountId
    amount: int


class Closed(Event):
    """An account is gone."""

    account: AccountId


class Ignored(Event):
    """Nobody projects this."""

    note: str = ""


class Balance(ReadModel):
    """An account; ``trace`` depends on every event that was folded, and on their order."""

    account: Annotated[str, Key()]
    owner: str = ""
    amount: Annotated[int, Indexed()] = 0
    trace: str = ""


class Balances(Projection[Balance]):
    """A row for each open account."""

    @on
    def opened(self, event: Opened) -> Balance:
        """A new row."""
        return Balance(account=event.account, owner=event.owner)

    @on
    def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
        """More, also for an account that nobody opened."""
        row = row or Balance(account=recorded.event.account)
        return changed(row, recorded.event.amount, recorded.position)

    @on(key=lambda recorded: [recorded.event.source, recorded.event.target])
    def moved(self, recorded: Recorded[Moved], row: Balance | None) -> Balance | None:
        """Less here, more there."""
        event = recorded.event
        if row is None or event.source == event.target:
            return row
        return changed(row, event.amount if row.account == event.target else -event.amount, recorded.position)

    @on
    def closed(self, event: Closed, row: Balance | None) -> None:
        """No row any more."""


class Entry(ReadModel):
    """One movement of one account."""

    position: Annotated[int, Key()]
    account: Annotated[str, Key(), Indexed()]
    amount: int


class Entries(Projection[Entry]):
    """A row or two for each movement."""

    @on
    def deposited(self, recorded: Recorded[Deposited]) -> Entry:
        """One side."""
        event = recorded.event
        return Entry(position=recorded.position, account=event.account, amount=event.amount)

    @on
    def moved(self, recorded: Recorded[Moved]) -> list[Entry]:
        """Two sides."""
        event, at = recorded.event, recorded.position
        return [
            Entry(position=at, account=event.source, amount=-event.amount),
            Entry(position=at, account=event.target, amount=event.amount),
        ]


def changed(row: Balance, amount: int, position: int) -> Balance:
    """The row after a movement."""
    trace = hashlib.blake2b(f"{row.trace}/{position}".encode(), digest_size=6).hexdigest()
    return msgspec.structs.replace(row, amount=row.amount + amount, trace=trace)


def expected_balances(events: Iterable[Event]) -> dict[str, Balance]:
    """The trivial reference: the same in plain Python, event by event."""
    rows: dict[str, Balance] = {}
    for position, event in enumerate(events, 1):
        if isinstance(event, Opened):
            rows[event.account] = Balance(account=event.account, owner=event.owner)
        elif isinstance(event, Deposited):
            row = rows.get(event.account) or Balance(account=event.account)
            rows[event.account] = changed(row, event.amount, position)
        elif isinstance(event, Moved) and event.source != event.target:
            for account, amount in ((event.source, -event.amount), (event.target, event.amount)):
                if account in rows:
                    rows[account] = changed(rows[account], amount, position)
        elif isinstance(event, Closed):
            rows.pop(event.account, None)
    return rows


def expected_entries(events: Iterable[Event]) -> dict[tuple[int, str], Entry]:
    """The trivial reference of the entries."""
    rows: dict[tuple[int, str], Entry] = {}
    for position, event in enumerate(events, 1):
        sides: Sequence[tuple[str, int]] = ()
        if isinstance(event, Deposited):
            sides = [(event.account, event.amount)]
        elif isinstance(event, Moved):
            sides = [(event.source, -event.amount), (event.target, event.amount)]
        for account, amount in sides:
            rows[position, account] = Entry(position=position, account=account, amount=amount)
    return rows


CODEC = Codec(Catalogue.of((Opened, Deposited, Moved, Closed, Ignored), ()))


class Bank:
    """A log, a read store, and a follower of some projections."""

    def __init__(self, events: Any, rows: Any, follower: Follower, progress: Progress) -> None:
        self.events = events
        self.rows = rows
        self.follower = follower
        self.progress = progress

    async def append(self, *events: Event) -> int:
        """Append events; the position of the last."""
        made = await self.events.append([CODEC.encode_event(event) for event in events])
        return made.last

    async def caught_up(self) -> None:
        """Wait until every projection includes everything."""
        await self.follower.caught_up(await self.events.head(), 10)

    async def balances(self) -> dict[str, Balance]:
        """All rows of the balances, by account."""
        return {row.account: row async for row in self.rows.reader(Balance).stream()}

    async def entries(self) -> dict[tuple[int, str], Entry]:
        """All rows of the entries, by position and account."""
        return {(row.position, row.account): row async for row in self.rows.reader(Entry).stream()}

    async def status(self, name: str) -> Any:
        """How one projection is."""
        return next(each for each in await self.follower.status() if each.name == name)


def plans(*projections: type[Projection[Any]]) -> list[Any]:
    """Plans without faults."""
    made = [projection_plan(projection) for projection in projections]
    assert [plan.faults for plan in made] == [()] * len(made)
    return made


@asynccontextmanager
async def bank(
    *projections: type[Projection[Any]],
    events: Any = "memory:",
    rows: Any = "memory:",
    follow: bool = True,
    codec: Codec = CODEC,
    retry: Retry = QUICK,
    lease_seconds: float = 5.0,
) -> AsyncIterator[Bank]:
    """A bank on these stores: URLs, which are opened and closed, or open stores, which stay open."""
    opened_events = open_store(events) if isinstance(events, str) else _as_it_is(events)
    opened_rows = open_read_store(rows) if isinstance(rows, str) else _as_it_is(rows)
    async with opened_events as log, opened_rows as store:
        progress = Progress()
        consumers = projectors(plans(*projections), store)
        follower = Follower(log, store, codec, consumers, progress=progress, retry=retry, lease_seconds=lease_seconds)
        await follower.prepare()
        if follow:
            await follower.start()
        try:
            yield Bank(log, store, follower, progress)
        finally:
            await follower.stop()


@asynccontextmanager
async def _as_it_is(store: Any) -> AsyncIterator[Any]:
    yield store


async def until(check, *arguments):
    """Wait until that is so."""
    async with asyncio.timeout(60):
        while not await check(*arguments):  # noqa: ASYNC110  what is waited for announces nothing
            await asyncio.sleep(0.005)
