"""Where records are kept, and how they are found again. Reads: records.py. Read next: recorder.py.

A journal is a file of JSON lines that one process appends to. Each line is one write, so a process that is killed
leaves whole lines, but for the last one perhaps. It guards against the death of a process, not of the machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from headwater.testing.history.records import Answered, Record, Sent, SentEvent

R = TypeVar("R", bound=Record)
_SUFFIX = ".history.jsonl"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


class Journal:
    """The records of one process, in a new file of ``directory``. ``clock`` gives nanoseconds."""

    def __init__(self, directory: Path, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.now = clock
        self.name, self._file = _new_file(directory)
        self._numbers = count(1)

    def fresh(self, what: str) -> str:
        """A name that no other operation, reader or subscription of this history has."""
        return f"{self.name}/{what}-{next(self._numbers)}"

    def write(self, record: Record) -> None:
        """Append a record; it is safe from a kill of this process when this returns."""
        os.write(self._file, _encode(record) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Append(msgspec.Struct, frozen=True):
    """All that is known of the events that were sent together: each attempt, and its answer if there was one."""

    events: tuple[SentEvent, ...]
    attempts: tuple[tuple[Sent, Answered | None], ...]

    @property
    def stored(self) -> tuple[Answered, ...]:
        """The answers that said it is stored."""
        return tuple(answer for _, answer in self.attempts if answer is not None and answer.outcome == "stored")

    @property
    def effective(self) -> tuple[Sent, ...]:
        """The attempts of which one must have stored it, if it is stored."""
        told = [sent for sent, answer in self.attempts if answer and answer.outcome == "stored" and not answer.replayed]
        open_ones = (sent for sent, answer in self.attempts if answer is None or answer.outcome == "unknown")
        return tuple(told) or tuple(open_ones)

    @property
    def began(self) -> int:
        """When it was first sent."""
        return min(sent.at for sent, _ in self.attempts)

    @property
    def ended(self) -> int | None:
        """When somebody was first told that it is stored; ``None`` if nobody was."""
        return min((answer.at for answer in self.stored), default=None)


class History(msgspec.Struct, frozen=True):
    """Everything that was written down, by all processes."""

    records: tuple[Record, ...] = ()

    @classmethod
    def load(cls, directory: Path) -> History:
        """All journals of a directory. The unfinished last line of a process that was killed counts as not written."""
        records: list[Record] = []
        for path in sorted(directory.glob(f"*{_SUFFIX}")):
            whole = path.read_bytes().split(b"\n")[:-1]
            records += (_decode(line) for line in whole)
        return cls(tuple(records))

    def of(self, kind: type[R]) -> list[R]:
        """The records of this kind, each journal's in its order."""
        return [record for record in self.records if isinstance(record, kind)]

    def appends(self) -> list[Append]:
        """The appends. Attempts with the same event ids are one append that was repeated."""
        answers = {answer.operation: answer for answer in self.of(Answered)}
        attempts: dict[tuple[str, ...], list[tuple[Sent, Answered | None]]] = {}
        for sent in self.of(Sent):
            ids = tuple(event.id for event in sent.events)
            attempts.setdefault(ids, []).append((sent, answers.get(sent.operation)))
        return [Append(tried[0][0].events, tuple(tried)) for tried in attempts.values()]


def _new_file(directory: Path) -> tuple[str, int]:
    for number in count(1):
        name = f"{os.getpid()}-{number}"
        try:
            return name, os.open(directory / f"{name}{_SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        except FileExistsError:
            continue
    raise AssertionError
