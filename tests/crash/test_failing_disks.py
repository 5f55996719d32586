"""Disks that are full or fail, for real: typed errors, nothing lost, and the store goes on without a restart."""

from __future__ import annotations

import asyncio

import pytest
from tests.campaigns.disks import can_mount, make_read_only, power_cut_disk, small_disk
from tests.campaigns.survival import sqlite_url

from headwater.errors import OutcomeUnknown, StoreFull, StoreIOError, StoreReadOnly
from headwater.event_store import Appended, EventQuery, NewEvent, open_store

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs root and loop devices")


def big(tag):
    return NewEvent("Filled", b"x" * 20_000, (tag,))


async def fill(store):
    """Append until the disk is full; how many events are in."""
    for number in range(1_000):
        try:
            await store.append([big(f"n:{number}")])
        except StoreFull:
            return number
    raise AssertionError("the disk never filled up")


@pytest.mark.parametrize("kibibytes", [600, 2_000])
async def test_a_full_disk_is_survived(kibibytes):
    """Reads go on, every caller is told, and appends work again once there is space, in the same store."""
    with small_disk(kibibytes) as directory:
        ballast = directory / "ballast"
        ballast.write_bytes(b"x" * 200_000)
        async with open_store(sqlite_url(directory)) as store:
            count = await fill(store)
            outcomes = await asyncio.gather(*(store.append([big("late")]) for _ in range(5)), return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {StoreFull}
            assert (await store.read()).head == count == await store.head()
            ballast.unlink()
            assert await store.append([NewEvent("Small", b"", ("late",))]) == Appended(count + 1, count + 1)
        async with open_store(sqlite_url(directory)) as store:
            found = await store.read()
            assert [event.position for event in found.events] == list(range(1, count + 2))
            assert len((await store.read(EventQuery.of(tags=("late",)))).events) == 1


async def test_opening_on_a_full_disk():
    """A new log cannot be made there, and the error says why."""
    with small_disk(64) as directory:
        (directory / "ballast").write_bytes(b"x" * 60_000)
        with pytest.raises(StoreFull):
            async with open_store(sqlite_url(directory)):
                pass


async def test_a_log_on_a_read_only_disk_can_be_read_only():
    """An append is refused with what to do, and nothing is lost."""
    with small_disk(2_000) as directory:
        async with open_store(sqlite_url(directory)) as store:
            await store.append([NewEvent("A", b"")])
        make_read_only(directory)
        async with open_store(sqlite_url(directory)) as store:
            with pytest.raises(StoreReadOnly) as refusal:
                await store.append([NewEvent("B", b"")])
            assert [event.type for event in (await store.read()).events] == ["A"]
    assert "writable" in refusal.value.remedy


async def test_a_new_log_is_not_begun_on_a_read_only_disk():
    """Opening it says what to do."""
    with small_disk(2_000) as directory:
        make_read_only(directory)
        with pytest.raises(StoreReadOnly) as refusal:
            async with open_store(sqlite_url(directory)):
                pass
    assert "writable" in refusal.value.remedy


async def test_a_disk_that_fails_while_appending():
    """Each append ends in a typed error; after the disk is back everything acknowledged is there."""
    with power_cut_disk() as disk:
        async with open_store(sqlite_url(disk.directory)) as store:
            await store.append([NewEvent("A", b"", ("x",)) for _ in range(10)])
            disk.cut()
            for _ in range(3):
                with pytest.raises((OutcomeUnknown, StoreIOError)):
                    await store.append([NewEvent("A", b"", ("y",))])
        disk.back()
        async with open_store(sqlite_url(disk.directory)) as store:
            assert await store.head() == 10
            assert await store.append([NewEvent("A", b"", ("y",))]) == Appended(11, 11)
