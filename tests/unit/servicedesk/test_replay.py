"""Replaying rows: in order within a case, each command once, and what happens to rows that do not fit."""

from __future__ import annotations

import random

import pytest

from headwater.errors import IdempotencyMismatch
from headwater.servicedesk import app
from headwater.servicedesk.expected import SHIPPED_LOG, differences, expected_figures
from headwater.servicedesk.figures import read_figures
from headwater.servicedesk.incident_messages import OpenIncident
from headwater.servicedesk.incident_views import GetIncident
from headwater.servicedesk.log_rows import BrokenRow, read_rows
from headwater.servicedesk.replay import Replay, known_keys

ROWS = list(read_rows(SHIPPED_LOG, limit=800))


@pytest.fixture
async def desk():
    """A desk in memory without incidents."""
    async with app.open("memory:") as desk:
        yield desk


async def test_the_read_models_have_the_figures_of_the_raw_rows(desk):
    """Counted twice by different code: the same."""
    tally = await Replay(desk, in_flight=64).run(ROWS)
    await desk.caught_up()

    assert (tally.rows, tally.refused) == (800, 0)
    assert differences(await read_figures(desk), expected_figures(SHIPPED_LOG, limit=800)) == []


async def test_the_order_within_a_case_is_that_of_seq(desk):
    """However the rows lie in the file, the outcome is the same."""
    shuffled = random.Random(7).sample(ROWS, len(ROWS))

    await Replay(desk, in_flight=8).run(shuffled)
    await desk.caught_up()

    assert differences(await read_figures(desk), expected_figures(SHIPPED_LOG, limit=800)) == []


async def test_rows_whose_predecessor_never_comes_are_sent_at_the_end(desk):
    """A case that begins in the middle of the file is taken over as it is found."""
    rows = [row for row in ROWS if row.case == "0000063"]

    await Replay(desk, in_flight=8).run(rows[2:])
    await desk.caught_up()

    view = await desk.ask(GetIncident(incident_id="INC0000063"))
    assert view.incident.saves == len(rows) - 2


async def test_a_second_replay_changes_nothing(desk):
    """Each command finds its key and answers with its first receipt."""
    first = await Replay(desk, in_flight=64).run(ROWS)
    head = await desk.event_store.head()

    second = await Replay(desk, in_flight=64).run(ROWS)

    assert (second.commands, second.repeated) == (first.commands, first.commands)
    assert await desk.event_store.head() == head


async def test_known_commands_are_not_sent(desk):
    """After an interruption only the rest is sent."""
    first = await Replay(desk, in_flight=64).run(ROWS[:500])

    rest = await Replay(desk, in_flight=64, known=await known_keys(desk)).run(ROWS)

    assert (rest.skipped, rest.repeated, rest.rows) == (first.commands, 0, 800)
    await desk.caught_up()
    assert differences(await read_figures(desk), expected_figures(SHIPPED_LOG, limit=800)) == []


async def test_a_refusal_is_counted_and_the_replay_goes_on(desk):
    """Somebody has opened an incident of that number already."""
    await desk.execute(OpenIncident(incident_id="INC0000045"))

    tally = await Replay(desk, in_flight=8).run(ROWS[:4])

    assert (tally.refused, tally.commands) == (1, 4)
    assert tally.refusals == ["line 2: OpenIncident: incident INC0000045 is already new"]


async def test_a_key_used_for_another_command_stops_the_replay(desk):
    """Another log on the same file is a mistake, not a refusal."""
    await Replay(desk, in_flight=8).run(ROWS[:1])

    with pytest.raises(IdempotencyMismatch):
        await Replay(desk, in_flight=8).run([ROWS[0]._replace(caller="somebody else")])


async def test_a_row_twice_is_broken_and_what_came_before_it_is_finished(desk):
    """Nothing of the broken row is sent; everything before it is in the log."""
    with pytest.raises(BrokenRow, match="has a row 0 already"):
        await Replay(desk, in_flight=8).run([*ROWS[:10], ROWS[0], *ROWS[10:]])

    assert len(await known_keys(desk)) == await desk.event_store.head() >= 10


async def test_broken_rows_can_be_left_out(desk):
    """They are told of, and the others are sent."""
    broken = []
    impossible = ROWS[1]._replace(seq=3, status="new", line=99)
    rows = [row for row in ROWS if row.case == "0000047"][:3]

    tally = await Replay(desk, in_flight=8, skip=broken.append).run([*rows, impossible, rows[0]])

    assert (tally.rows, [row.line for row in broken]) == (3, [99, rows[0].line])


async def test_progress_is_told_now_and_then(desk):
    """Often enough for a bar, seldom enough to cost nothing."""
    seen = []

    await Replay(desk, in_flight=8, moved=seen.append).run(ROWS)

    assert seen == [512]
