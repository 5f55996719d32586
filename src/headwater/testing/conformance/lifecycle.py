"""Closing, opening again, snapshots, and attempts to change history. Reads: samples.py. Read next: sharing.py."""

from __future__ import annotations

import asyncio

import pytest

from headwater.errors import HeadwaterError, StoreClosed
from headwater.event_store.protocol import ALL, Appended, EventStore, Snapshot
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import appended, event, filled, log_of, of, positions, unless


class Lifecycle(Backend):
    """A store that is closed has lost nothing it acknowledged, and a log cannot be changed afterwards."""

    async def test_what_is_pending_at_closing_is_done(self, location: str) -> None:
        """Appends handed over before are answered; those that were answered are there later."""
        async with self.open(location) as store:
            tasks = [asyncio.ensure_future(store.append([event("A", f"n:{number}")])) for number in range(50)]
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(appended(outcomes)) == 50
        if self.capabilities.durable:
            async with self.open(location) as store:
                assert await store.head() == 50

    async def test_a_closed_store_says_so(self, store: EventStore) -> None:
        """Every verb is refused with ``StoreClosed``; closing again does nothing."""
        await filled(store, "A")
        await store.close()
        await store.close()
        for verb in (
            store.append([event()]),
            store.read(ALL),
            store.head(),
            store.load_snapshot("k"),
            store.save_snapshot("k", Snapshot(1, "f", b"")),
            anext(store.subscribe()),
        ):
            with pytest.raises(StoreClosed):
                await verb

    async def test_what_was_acknowledged_is_there_after_opening_again(self, location: str) -> None:
        """Events, positions, conditions and interned names go on where they were."""
        self.needs("durable")
        async with self.open(location) as store:
            await filled(store, "A x", "B y")
        async with self.open(location) as store:
            assert positions(await log_of(store)) == [1, 2]
            assert not isinstance(await store.append([event("A", "x")], unless(of("x"))), Appended)
            assert await store.append([event("C", "x", "z")], unless(of("x"), 1)) == Appended(3, 3)
            assert positions(await store.read(of("x"))) == [1, 3]

    async def test_capabilities_are_those_declared(self, store: EventStore) -> None:
        """The store says of itself what its suite was told."""
        assert store.capabilities == self.capabilities

    async def test_there_is_no_snapshot_at_first(self, store: EventStore) -> None:
        """A cache that is empty says so."""
        assert await store.load_snapshot("incident:1") is None

    async def test_the_last_snapshot_of_a_key_is_kept(self, store: EventStore) -> None:
        """Saving replaces; keys are apart; events beside it are not concerned."""
        await store.save_snapshot("a", Snapshot(1, "v1", b"one"))
        await asyncio.gather(
            store.save_snapshot("a", Snapshot(2, "v2", b"\0two")),
            store.append([event("A")]),
            store.save_snapshot("b", Snapshot(7, "v1", b"")),
        )
        assert await store.load_snapshot("a") == Snapshot(2, "v2", b"\0two")
        assert await store.load_snapshot("b") == Snapshot(7, "v1", b"")
        assert await store.head() == 1

    async def test_history_cannot_be_changed(self, store: EventStore, location: str) -> None:
        """Whoever tries behind the store's back is refused, and the log is as it was."""
        self.needs("enforces_immutability")
        await filled(store, "A x", "B y")
        before = await log_of(store)
        tamperings = self.tamperings(location)
        assert tamperings, "a backend that enforces immutability shows how it was tried"
        for tamper in tamperings:
            with pytest.raises(Exception) as refusal:  # noqa: PT011  the driver's own error
                tamper()
            assert not isinstance(refusal.value, HeadwaterError)
        assert await log_of(store) == before
