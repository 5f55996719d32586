"""A read store on a full disk: nothing is lost, and projecting goes on once there is space, without a restart."""

from __future__ import annotations

import pytest
from tests.accounts import Deposited, Entries, bank, expected_entries
from tests.campaigns.disks import can_mount, small_disk

from headwater.errors import ProjectionBehind

pytestmark = pytest.mark.skipif(not can_mount(), reason="needs root and loop devices")


async def test_projecting_waits_for_space(tmp_path, caplog):
    """The status says what is wrong; reading goes on; then every row is there."""
    events = [Deposited(account="a" * 200, amount=number) for number in range(4_000)]
    with small_disk(10_000) as directory:
        ballast = directory / "ballast"
        ballast.write_bytes(b"x" * 8_700_000)
        stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{directory}/rows.db"}
        async with bank(Entries, **stores) as desk:
            for start in range(0, len(events), 500):
                await desk.append(*events[start : start + 500])
            with pytest.raises(ProjectionBehind):
                await desk.progress.wait_for(["Entries"], len(events), timeout=1.5)
            status = await desk.status("Entries")
            assert "no space" in status.error
            assert await desk.entries() == expected_entries(events[: status.position])
            ballast.unlink()
            await desk.caught_up()
            assert await desk.entries() == expected_entries(events)
            assert (await desk.status("Entries")).error is None
    assert "trying again" in caplog.text
