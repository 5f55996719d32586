"""Kept answers: given again as long as nothing they were made from has changed. Reads: freshness.py, shared.py.

An entry is given without a look at the read store only while its query allows it to be stale. Otherwise it is compared
with where the projections stand, which is one cheap look for all who ask in the same moment. Whoever asks while the
same answer is being made waits for it; but an answer that was begun before somebody asked is checked again for him, so
that he never gets an older one than the database would have given. Read next: live.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from itertools import count
from time import monotonic
from typing import Any

import msgspec

from headwater.codec import Codec
from headwater.errors import StoreError
from headwater.messages import Cache, Query, ScopeOf, contract_of
from headwater.queries.freshness import Freshness, Standing, seen
from headwater.queries.shared import LARGEST_BYTES, LONGEST_SECONDS, Envelope, Sealer, SharedCache
from headwater.queries.shelves import Entry, Flight, Key, Question, Shelf, Wish

_LOG = logging.getLogger("headwater.queries")
_MOST_BACKGROUND = 64
_NOWHERE: Standing = {}


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """How often an answer was there (``hits``), came from the shared cache (``shared_hits``) or was made (``misses``).

    ``stale`` ones were given although something had changed, as their query allows; ``coalesced`` askers waited for an
    answer that was already being made. ``entries`` are kept now.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0
    coalesced: int = 0
    shared_hits: int = 0
    entries: int = 0


class QueryCache:
    """The kept answers of one runtime. Belongs to one event loop."""

    def __init__(
        self,
        freshness: Freshness,
        codec: Codec,
        *,
        secret: bytes,
        shared: SharedCache | None = None,
        scope: ScopeOf | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._freshness = freshness
        self._codec = codec
        self._secret = secret
        self._shared = shared
        self._scope = scope
        self._now = now
        self._shelves: dict[type[Query[Any]], Shelf] = {}
        self._turns = count(1)
        self._counts = dict.fromkeys(CacheStats.__struct_fields__, 0)
        self._background: set[asyncio.Task[Any]] = set()

    @property
    def stats(self) -> CacheStats:
        """What has happened so far."""
        entries = sum(shelf.entries for shelf in self._shelves.values())
        return CacheStats(**{**self._counts, "entries": entries})

    def key(self, question: Question, query: Query[Any], wish: Wish) -> Key | None:
        """What tells this answer from others; ``None`` for a query that cannot be told."""
        rules = question.rules
        scope_of = self._scope if rules is None or rules.scope is None else rules.scope
        try:
            told = self._codec.encode_canonical(query)
        except (TypeError, ValueError, NotImplementedError, RecursionError, msgspec.MsgspecError):
            return None
        scope = wish.actor if scope_of is None else scope_of(query, wish.actor)
        return wish.tenant, scope, told

    def kept(self, question: Question, query: Query[Any], wish: Wish) -> Entry | None:
        """The kept answer, if it can be told at once that it may be given: nothing is awaited."""
        shelf = self._shelves.get(question.query)
        if shelf is None:
            return None
        key, now = self.key(question, query, wish), self._now()
        entry = None if key is None else shelf.kept(key, now)
        if entry is None:
            return None
        if not self._is_young(shelf, entry, wish, now):
            try:
                standing = self._freshness.at_hand() if entry.basis.parts else _NOWHERE
            except StoreError:  # whoever looks again will say so
                return None
            if standing is None or not self._holds(entry, standing, wish, now):
                return None
        self._counts["hits"] += 1
        return entry

    async def find(self, question: Question, rules: Cache, query: Query[Any], wish: Wish) -> Entry:
        """The kept answer, or a new one. Raises what answering the query raises."""
        shelf = self._shelves.get(question.query) or self._shelf(question, rules)
        key = self.key(question, query, wish)
        if key is None:
            return await self._made(question, query)
        arrived = next(self._turns)
        while True:
            entry = shelf.kept(key, self._now())
            if entry is not None and await self._is_good(shelf, key, entry, query, wish):
                return entry
            flight = shelf.flights.get(key)
            if flight is None:
                flight = self._depart(shelf, key, query)
            else:
                self._counts["coalesced"] += 1
            entry = await flight.join()
            if flight.turn > arrived:
                return entry

    async def close(self) -> None:
        """Give up what goes on in the background."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    # -- whether an entry may be given

    async def _is_good(self, shelf: Shelf, key: Key, entry: Entry, query: Query[Any], wish: Wish) -> bool:
        rules, began = shelf.rules, self._now()
        if self._is_young(shelf, entry, wish, began):
            self._counts["hits"] += 1
            return True
        standing = await self._standing(entry)
        if standing is not None and self._holds(entry, standing, wish, began):
            self._counts["hits"] += 1
            return True
        late = self._now() - entry.held_at
        if _may_be_late(entry, wish) and late < rules.max_staleness + rules.stale_while_revalidate:
            self._counts["stale"] += 1
            if key not in shelf.flights:
                self._depart(shelf, key, query).keep_going()
            return True
        return False

    async def _standing(self, entry: Entry) -> Standing | None:
        try:
            return await self._freshness.look() if entry.basis.parts else _NOWHERE
        except StoreError:  # whoever makes a new answer will say so, unless a late one will do
            return None

    def _is_young(self, shelf: Shelf, entry: Entry, wish: Wish, now: float) -> bool:
        """Whether its query lets it be given without a look."""
        allowed = shelf.rules.max_staleness
        return bool(allowed) and now - entry.held_at < allowed and _may_be_late(entry, wish)

    def _holds(self, entry: Entry, standing: Standing, wish: Wish, now: float) -> bool:
        """Whether a new one would be no other, as the projections stand; it is then known to hold since ``now``."""
        basis = entry.basis if entry.standing is standing else self._freshness.carried(entry.basis, standing)
        if basis is None or not (wish.after is None or basis.reaches(wish.after)):
            return False
        entry.hold(basis, standing, now)
        return True

    # -- making one

    def _depart(self, shelf: Shelf, key: Key, query: Query[Any]) -> Flight[Entry]:
        task = asyncio.get_running_loop().create_task(self._fly(shelf, key, query))
        task.add_done_callback(seen)
        flight = shelf.flights[key] = Flight(next(self._turns), task, lambda: shelf.flights.pop(key, None))
        return flight

    async def _fly(self, shelf: Shelf, key: Key, query: Query[Any]) -> Entry:
        try:
            entry = await self._fetched(shelf, key)
            if entry is None:
                self._counts["misses"] += 1
                entry = await self._made(shelf.question, query)
                if shelf.sealer is not None:
                    self._in_background(self._share(shelf, shelf.sealer, key, entry))
            shelf.keep(key, entry)
            self._freshness.keep_apart(entry.basis)
            return entry
        finally:
            task = asyncio.current_task()
            if key in shelf.flights and shelf.flights[key].task is task:
                del shelf.flights[key]

    async def _made(self, question: Question, query: Query[Any]) -> Entry:
        began = self._now()
        value, basis = await question.traced(query)
        return Entry(value, basis, began)

    # -- the shared cache

    async def _fetched(self, shelf: Shelf, key: Key) -> Entry | None:
        """An answer from the shared cache that holds now."""
        if self._shared is None or shelf.sealer is None:
            return None
        began, name = self._now(), shelf.sealer.key(key)
        sealed = await self._shared.get(name)
        envelope = None if sealed is None else shelf.sealer.open(name, sealed)
        if envelope is None:
            return None
        age_seconds = max(0.0, self._freshness.clock.now().timestamp() - envelope.made_at)
        if shelf.rules.ttl is not None and age_seconds > shelf.rules.ttl:
            return None
        standing = await self._freshness.look()
        basis = self._freshness.carried(envelope.basis, standing)
        if basis is None:
            return None
        try:
            value = self._codec.decode_as(shelf.question.answer_type, envelope.body)
        except msgspec.MsgspecError:
            return None
        self._counts["shared_hits"] += 1
        entry = Entry(value, basis, began - age_seconds, envelope.body)
        entry.hold(basis, standing, began)
        return entry

    async def _share(self, shelf: Shelf, sealer: Sealer, key: Key, entry: Entry) -> None:
        """Put an answer into the shared cache, if it is the same when it comes back."""
        if self._shared is None:
            return
        try:
            body = entry.json(self._codec)
            if len(body) > LARGEST_BYTES or self._codec.decode_as(shelf.question.answer_type, body) != entry.value:
                return
            age_seconds = self._now() - entry.made_at
            name = sealer.key(key)
            sealed = sealer.seal(
                name, Envelope.of(body, entry.basis, self._freshness.clock.now().timestamp() - age_seconds)
            )
        except (TypeError, ValueError, NotImplementedError, RecursionError, msgspec.MsgspecError) as error:
            _LOG.debug("an answer to %s cannot be shared: %s", contract_of(shelf.question.query).name, error)
            return
        ttl = LONGEST_SECONDS if shelf.rules.ttl is None else shelf.rules.ttl - age_seconds
        if ttl > 0:
            await self._shared.put(name, sealed, ttl)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        if len(self._background) >= _MOST_BACKGROUND:  # the shared cache is slow: it need not have everything
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(seen)

    def _shelf(self, question: Question, rules: Cache) -> Shelf:
        is_shared = self._shared is not None and rules.shared
        sealer = Sealer(self._secret, question.facts) if is_shared else None
        shelf = self._shelves[question.query] = Shelf(question, rules, sealer)
        return shelf


def _may_be_late(entry: Entry, wish: Wish) -> bool:
    """Whether the wish leaves it to the query how late a change may be."""
    return not wish.exact and (wish.after is None or entry.basis.reaches(wish.after))
