"""A log and its read models as files, and SQL over them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import pytest

from headwater import App, Event, Key, Projection, ReadModel, Recorded, Tag, on
from headwater.analysis import files
from headwater.analysis.export import export_log, export_rows
from headwater.analysis.files import FORMATS, only_writer
from headwater.analysis.report import run_report
from headwater.errors import OtherHistory, QueryError, ReadOnlyViolation, StoreIOError
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import NewEvent

duckdb = pytest.importorskip("duckdb")


class Sold(Event):
    line: Annotated[str, Tag("line")]
    amount: Decimal
    day: date
    position: int = 0


class Line(ReadModel):
    line: Annotated[str, Key()]
    amount: Decimal
    day: date
    sold_at: datetime
    took: timedelta | None = None
    is_paid: bool = False
    notes: dict[str, int] | None = None


class Lines(Projection[Line]):
    @on
    def sold(self, event: Recorded[Sold]) -> Line:
        sold = event.event
        return Line(
            line=sold.line, amount=sold.amount, day=sold.day, sold_at=event.recorded_at, took=timedelta(hours=1),
            notes={"a": 1},
        )  # fmt: skip


APP = App("shop", Lines)


async def sell(desk, count, start=0):
    """Sell that many lines."""
    sold = [
        Sold(line=f"l{number}", amount=Decimal(number) / 4, day=date(2026, 1, 1 + number % 3))
        for number in range(start, start + count)
    ]
    await desk.event_store.append([desk.codec.encode_event(each) for each in sold])


@pytest.fixture(params=FORMATS)
def form(request):
    """Each format."""
    return request.param


async def test_a_further_run_goes_on_where_the_last_one_ended(tmp_path, form):
    """Each file holds a range of positions; together they are the log."""
    async with APP.open("memory:") as desk:
        await sell(desk, 25)
        first = await export_log(desk.event_store, tmp_path, form, events_per_file=10)
        again = await export_log(desk.event_store, tmp_path, form, events_per_file=10)
        await sell(desk, 10, 25)
        (tmp_path / "events" / f"26-30.{form}.unfinished").write_text("what a killed run left")
        second = await export_log(desk.event_store, tmp_path, form, events_per_file=10)
    assert [(each.events, each.files, each.position) for each in (first, again, second)] == [
        (25, 3, 25), (0, 0, 25), (10, 2, 35)
    ]  # fmt: skip
    assert {path.name for path in (tmp_path / "events").iterdir()} == {
        f"{each}.{form}" for each in ("1-10", "11-20", "21-25", "26-30", "31-35")
    }
    found = run_report("SELECT count(*), sum(position), count(DISTINCT id), min(tags)[1] FROM events", tmp_path)
    assert found.rows == [(35, 630, 35, "line:l0")]


async def test_each_type_is_a_view_and_each_model_a_table(tmp_path, form):
    """With types that can be counted on: Decimals stay exact, times are times."""
    async with APP.open("memory:") as desk:
        await sell(desk, 9)
        await desk.caught_up()
        await export_log(desk.event_store, tmp_path, "parquet")
        assert await export_rows(desk.read_store, [Line], tmp_path, form) == {"Line": 9}
    by_day = "SELECT day, sum(amount), count(*) FROM Line GROUP BY day ORDER BY day"
    assert run_report(by_day, tmp_path).rows[0] == (date(2026, 1, 1), Decimal("2.25"), 3)
    types = "SELECT took, notes ->> 'a', sold_at > TIMESTAMPTZ '2026-01-01 00:00:00Z' FROM Line LIMIT 1"
    assert run_report(types, tmp_path).rows == [(timedelta(hours=1), "1", True)]
    events = "SELECT sum(CAST(amount AS DECIMAL(18, 2))), max(position) FROM Sold"
    assert run_report(events, tmp_path).rows == [(Decimal("9.00"), 9)]
    assert run_report("SELECT position_ FROM Sold LIMIT 1", tmp_path).columns == ("position_",)


async def test_few_lines_are_in_memory_at_a_time(tmp_path, form, monkeypatch):
    """However long a read model or a range of the log is."""
    monkeypatch.setattr(files, "_LINES_AT_ONCE", 4)
    held, add = [], files.Draft.add
    monkeypatch.setattr(files.Draft, "add", lambda draft, lines: (held.append(len(lines)), add(draft, lines)))
    async with APP.open("memory:") as desk:
        await sell(desk, 10)
        await desk.caught_up()
        await export_log(desk.event_store, tmp_path, form)
        assert await export_rows(desk.read_store, [Line], tmp_path, form) == {"Line": 10}
    assert sorted(held) == [1, 1, 2, 2, 4, 4, 4, 4]
    assert run_report("SELECT count(*), max(events.position) FROM events, Line", tmp_path).rows == [(100, 10)]


async def test_a_folder_of_another_log_is_refused(tmp_path, form):
    """And so is one from which a file is gone."""
    async with APP.open("memory:") as desk:
        await sell(desk, 25)
        await export_log(desk.event_store, tmp_path, form, events_per_file=10)
        async with APP.open("memory:") as other:
            await sell(other, 30)
            with pytest.raises(OtherHistory, match="another log"):
                await export_log(other.event_store, tmp_path, form)
        (tmp_path / "events" / f"11-20.{form}").unlink()
        with pytest.raises(StoreIOError, match="position 11"):
            await export_log(desk.event_store, tmp_path, form)


async def test_events_that_are_no_plain_json_are_kept(tmp_path, form):
    """On one line each, whatever their text is."""
    store = MemoryEventStore()
    texts = (b'{"a":\n 1}', b"not json", b'"\xc3\xa9"', b"[1, 2]")
    await store.append([NewEvent(type="Odd", data=text) for text in texts])
    await export_log(store, tmp_path, form)
    found = run_report("SELECT data FROM events ORDER BY position", tmp_path).rows
    assert [json.loads(row[0]) for row in found] == [{"a": 1}, "not json", "é", [1, 2]]


_WRITES = (
    "CREATE TABLE more (x int)",
    "DELETE FROM events",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "SET enable_external_access = true",
    "ATTACH '{folder}/more.db'",
    "INSTALL sqlite",
)
_BROKEN = ("SELECT nothing FROM events", "SELECT 1; SELECT 2", "", "no sql", "SELECT * FROM read_csv('/etc/passwd')")


@pytest.mark.parametrize("sql", [*_WRITES, *_BROKEN])
async def test_a_report_reads_this_folder_and_changes_nothing(tmp_path, sql):
    """Whatever the statement is."""
    async with APP.open("memory:") as desk:
        await sell(desk, 3)
        await export_log(desk.event_store, tmp_path, "ndjson")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((ReadOnlyViolation, QueryError)):
        run_report(sql.format(folder=tmp_path), tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_no_source(tmp_path):
    """It says how to make one."""
    with pytest.raises(StoreIOError, match="headwater export"):
        run_report("SELECT 1", tmp_path)


async def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    """With its name."""
    (tmp_path / "events").write_text("a file in its place")
    async with APP.open("memory:") as desk:
        await sell(desk, 1)
        with pytest.raises(StoreIOError, match="cannot be written"):
            await export_log(desk.event_store, tmp_path, "ndjson")


async def test_two_runs_do_not_write_to_one_folder(tmp_path, form):
    """The second is refused, and does not touch what the first is writing; afterwards it may."""
    async with APP.open("memory:") as desk:
        await sell(desk, 1)
        with only_writer(tmp_path):
            (tmp_path / "draft.unfinished").touch()
            with pytest.raises(StoreIOError, match="another run writes"):
                await export_log(desk.event_store, tmp_path, form)
            with pytest.raises(StoreIOError, match="another run writes"):
                await export_rows(desk.read_store, [Line], tmp_path, form)
            assert (tmp_path / "draft.unfinished").exists()
        assert (await export_log(desk.event_store, tmp_path, form)).files == 1


async def test_times_are_those_of_the_log(tmp_path, form):
    """In UTC, to the microsecond."""
    store = MemoryEventStore()
    await store.append([NewEvent(type="Odd", data=b"{}")])
    (event,) = (await store.read()).events
    await export_log(store, tmp_path, form)
    ((at,),) = run_report("SELECT recorded_at FROM events", tmp_path).rows
    assert at.astimezone(UTC) == event.recorded_at
