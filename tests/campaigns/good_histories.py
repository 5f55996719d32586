"""Good histories: writers and readers on a store in memory, interleaved by a seed. Read next: histories.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace
from tests.campaigns.histories import Writer, follow

from headwater.event_store import ALL, EventQuery, NewEvent, RecordedEvent
from headwater.event_store.memory import MemoryEventStore
from headwater.testing.history import Answered, Applied, Effect, History, Journal, Record, RecordedStore, Sent, Shown
from headwater.testing.history.records import sent_event

WRITERS, TURNS, FOLLOWED = 6, 20, 7
_TICK = 100


@dataclass
class Case:
    """A history and the log that it left."""

    records: list[Record]
    log: list[RecordedEvent]

    @property
    def history(self) -> History:
        """As the checker takes it."""
        return History(tuple(self.records))

    def of(self, kind: type[Any]) -> list[Any]:
        """The records of one kind."""
        return [record for record in self.records if isinstance(record, kind)]

    def put(self, old: Record, **changes: Any) -> None:
        """Change one record."""
        at = next(place for place, record in enumerate(self.records) if record is old)
        self.records[at] = replace(old, **changes)

    def answer_to(self, sent: Sent) -> Answered:
        """How an append ended."""
        return next(answer for answer in self.of(Answered) if answer.operation == sent.operation)

    def stored(self) -> list[tuple[Sent, Answered]]:
        """Appends that were acknowledged, sent once, in the order of the log."""
        ids = [tuple(event.id for event in sent.events) for sent in self.of(Sent)]
        told = {a.operation: a for a in self.of(Answered) if a.outcome == "stored" and not a.replayed}
        once = [sent for sent, own in zip(self.of(Sent), ids, strict=True) if ids.count(own) == 1]
        pairs = [(sent, told[sent.operation]) for sent in once if sent.operation in told]
        return sorted(pairs, key=lambda pair: pair[1].first)

    def renumber(self) -> None:
        """Give the log gapless positions again."""
        self.log = [replace(event, position=place) for place, event in enumerate(self.log, 1)]

    def append(self, *tags: str, fail_if: EventQuery | None = None, after: int = 0, told: bool = True) -> None:
        """Another append at the end of the log, sent after everything else."""
        event, last = NewEvent("Paid", b"{}", tags), len(self.log) + 1
        at, name = max(record.at for record in self.records) + _TICK, f"late-{last}"
        self.log.append(RecordedEvent(last, "Paid", 1, b"{}", tags, b"{}", event.id.bytes, 0))
        if told:
            self.records.append(Sent(name, at, (sent_event(event),), fail_if, after))
            self.records.append(Answered(name, at + 3, "stored", last, last))


def good_case(seed: int, directory: Path) -> Case:
    """A history in which every promise was kept, with conflicts, repeats, refusals and unknown outcomes."""
    return asyncio.run(_good_case(Random(seed), directory))


async def _good_case(chance: Random, directory: Path) -> Case:
    ticks = count(_TICK, _TICK)
    journal, inner = Journal(directory, clock=lambda: next(ticks)), MemoryEventStore()

    async def pause() -> None:
        for _ in range(chance.randrange(5)):
            await asyncio.sleep(0)

    store = RecordedStore(Slow(inner, pause), journal)
    subscribers = [asyncio.ensure_future(follow(store, query)) for query in (ALL, EventQuery.of(tags=("account:1",)))]
    await asyncio.gather(*(Writer(store, f"w{n}", chance, pause).work(TURNS) for n in range(WRITERS)))
    await asyncio.sleep(0)
    for subscriber in subscribers:
        subscriber.cancel()
    log = list((await store.read()).events)
    for record in _followed(log, journal.now):
        journal.write(record)
    journal.close()
    return Case(list(History.load(directory).records), log)


class Slow(MemoryEventStore):
    """A store in memory whose verbs take several turns of the loop, before and after they have their effect."""

    def __init__(self, inner: MemoryEventStore, pause: Callable[[], Any]) -> None:
        self._inner = inner
        self._pause = pause

    async def append(self, events: Any, condition: Any = None) -> Any:
        await self._pause()
        outcome = await self._inner.append(events, condition)
        await self._pause()
        return outcome

    async def read(self, query: Any = ALL, **options: Any) -> Any:
        await self._pause()
        found = await self._inner.read(query, **options)
        await self._pause()
        return found

    async def head(self) -> int:
        return await self._inner.head()

    def subscribe(self, query: Any = ALL, *, after: int = 0) -> Any:
        return self._inner.subscribe(query, after=after)


def _followed(log: list[RecordedEvent], now: Callable[[], int]) -> Iterable[Record]:
    """A follower that changes its owner half-way and is then built anew, without effects."""
    query = EventQuery.of(types=("Paid",))
    for epoch, rebuilding in ((1, False), (3, True)):
        for start in range(0, len(log), FOLLOWED):
            batch = log[start : start + FOLLOWED]
            paid = tuple(event.position for event in batch if event.type == "Paid")
            owner = epoch + (start > len(log) // 2)
            yield Applied("payments", now(), query, start, batch[-1].position, paid, owner)
            yield from (Effect(f"mail-{place}", now(), place) for place in paid if not rebuilding)
    yield Shown("red", now(), ("red", "red"))
