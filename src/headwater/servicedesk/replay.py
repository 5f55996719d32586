"""Replay a log: its rows as commands, in order within a case, many cases at once.

Reads: log_rows.py, row_commands.py. Read next: figures.py (what came out), demo.py.

Every command carries an idempotency key made from its place in the log, so a replay may be repeated, or killed and
started again, and each command still takes effect once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable

import msgspec

from headwater import ALL, HeadwaterError, Refused, Runtime
from headwater.servicedesk.incident_messages import DeskCommand
from headwater.servicedesk.log_rows import BrokenRow, LogError, LogRow
from headwater.servicedesk.row_commands import commands_of

_KEY_TAG = "idempotency:"
_ROWS_BETWEEN_REPORTS = 512
_REFUSALS_KEPT = 10


class Tally(msgspec.Struct):
    """What a replay did so far. ``skipped`` commands were known to be in the log and not sent again."""

    rows: int = 0
    commands: int = 0
    repeated: int = 0
    skipped: int = 0
    refused: int = 0
    refusals: list[str] = msgspec.field(default_factory=list[str])


class Replay:
    """One run over a log.

    ``in_flight`` rows are worked on at the same time, each of another case. ``known`` are the idempotency keys that
    need not be sent. ``moved`` is told now and then how many rows are done; ``skip`` hears of each broken row, if
    such rows are to be left out.
    """

    def __init__(
        self,
        desk: Runtime,
        *,
        in_flight: int,
        known: Collection[str] = (),
        moved: Callable[[int], None] = lambda _done: None,
        skip: Callable[[BrokenRow], None] | None = None,
    ) -> None:
        self.tally = Tally()
        self._desk = desk
        self._known = known
        self._moved = moved
        self._skip = skip
        self._room = asyncio.Semaphore(in_flight)
        self._cases: dict[str, _Case] = {}

    async def run(self, rows: Iterable[LogRow]) -> Tally:
        """Send every row. A broken row ends the reading, what was read before it is still finished, then it is raised.

        Also raises whatever a command fails with, other than ``Refused``, which is counted.
        """
        broken: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._read(rows, tasks)
                except LogError as error:
                    broken = error
        except* HeadwaterError as failures:
            raise failures.exceptions[0] from None
        if broken is not None:
            raise broken
        return self.tally

    async def _read(self, rows: Iterable[LogRow], tasks: asyncio.TaskGroup) -> None:
        for number, row in enumerate(rows):
            case = self._cases.get(row.case)
            if case is None:
                case = self._cases[row.case] = _Case()
            try:
                for ready in case.in_order(row):
                    await self._hand_over(case, ready, tasks)
            except BrokenRow as broken:
                if self._skip is None:
                    raise
                self._skip(broken)
            if number % _ROWS_BETWEEN_REPORTS == 0:
                await asyncio.sleep(0)  # rows that are all known wait for nothing, but others in this process do
        for case in self._cases.values():  # rows whose predecessors never came
            for ready in case.left_over():
                await self._hand_over(case, ready, tasks)

    async def _hand_over(self, case: _Case, row: LogRow, tasks: asyncio.TaskGroup) -> None:
        commands = case.commands(row)
        if self._known:
            wanted = [command for command in commands if command.key not in self._known]
            self.tally.skipped += len(commands) - len(wanted)
            commands = wanted
        if not commands:
            self._done()
            return
        await self._room.acquire()
        case.waiting.append(commands)
        if not case.busy:
            case.busy = True
            tasks.create_task(self._work_off(case))

    async def _work_off(self, case: _Case) -> None:
        """Send what waits in a case, one after the other."""
        while case.waiting:
            for command in case.waiting.popleft():
                await self._send(command)
            self._room.release()
            self._done()
        case.busy = False

    async def _send(self, sent: _Sent) -> None:
        try:
            receipt = await self._desk.execute(sent.command, idempotency_key=sent.key, actor=sent.actor)
        except Refused as refusal:
            self.tally.refused += 1
            if len(self.tally.refusals) < _REFUSALS_KEPT:
                self.tally.refusals.append(f"line {sent.line}: {type(sent.command).__name__}: {refusal}")
        else:
            self.tally.commands += 1
            self.tally.repeated += receipt.replayed

    def _done(self) -> None:
        self.tally.rows += 1
        if self.tally.rows % _ROWS_BETWEEN_REPORTS == 0:
            self._moved(self.tally.rows)


class _Sent(msgspec.Struct, frozen=True, gc=False):
    command: DeskCommand
    key: str
    actor: str | None
    line: int


class _Case:
    """One case of the log: the last row handed over, rows that came too early, commands that wait."""

    __slots__ = ("before", "busy", "early", "expected", "waiting")

    def __init__(self) -> None:
        self.before: LogRow | None = None
        self.expected = 0
        self.early: dict[int, LogRow] | None = None
        self.waiting: deque[list[_Sent]] = deque()
        self.busy = False

    def in_order(self, row: LogRow) -> Iterable[LogRow]:
        """The rows that may go now: ``seq`` is authoritative within a case, the place in the file is not."""
        if row.seq < self.expected or (self.early is not None and row.seq in self.early):
            raise BrokenRow(row.line, "seq", f"case {row.case} has a row {row.seq} already")
        if row.seq == self.expected and self.early is None:
            self.expected += 1
            return (row,)
        early = self.early = self.early or {}
        early[row.seq] = row
        ready: list[LogRow] = []
        while self.expected in early:
            ready.append(early.pop(self.expected))
            self.expected += 1
        if not early:
            self.early = None
        return ready

    def left_over(self) -> Iterable[LogRow]:
        """The rows that still wait for one before them, at the end of the log."""
        early, self.early = self.early or {}, None
        return [early[seq] for seq in sorted(early)]

    def commands(self, row: LogRow) -> list[_Sent]:
        """The commands of a row, each with its key."""
        commands = [
            _Sent(command, f"{row.case}/{row.seq}/{number}", row.saved_by, row.line)
            for number, command in enumerate(commands_of(row, self.before))
        ]
        self.before = row
        return commands


async def known_keys(desk: Runtime) -> set[str]:
    """The idempotency keys of all commands that are in the log already."""
    keys: set[str] = set()
    after = 0
    while True:
        found = await desk.event_store.read(ALL, after=after, limit=_EVENTS_A_READ)
        for event in found.events:
            keys.update(tag.removeprefix(_KEY_TAG) for tag in event.tags if tag.startswith(_KEY_TAG))
        if len(found.events) < _EVENTS_A_READ:
            return keys
        after = found.events[-1].position


_EVENTS_A_READ = 4096
