"""Sequences that a projection could not go on with, set aside until somebody mends or discards what they failed on.

A *sequence* is the events of one row, in their order. When one of them fails again and again, the sequence is parked:
from that event on none of its events is applied, while all other rows go on. An event of which nobody can say which row
it is about is parked alone. Reads: tables.py. Read next: protocol.py.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from headwater.read_store.tables import RowKey

_ALONE = "@"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_TEXT = 2_000


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A parked sequence: nothing of it is applied from the event at ``position`` on.

    ``sequence`` names it, within one version of a projection (see ``sequence_of``). ``event`` is the type of the event
    it failed on, ``error`` what that failed with, ``attempts`` how often it was tried.
    """

    projection: str
    version: int
    sequence: str
    position: int
    event: str
    error: str
    attempts: int
    parked_at: datetime

    @property
    def is_alone(self) -> bool:
        """Whether it is one event, of which nobody knows which rows it is about."""
        return self.sequence.startswith(_ALONE)

    @property
    def key(self) -> RowKey:
        """The key of the row, as it is stored; ``None`` for an event alone."""
        return key_of(self.sequence)

    @property
    def shown(self) -> str:
        """The sequence as people write it."""
        return shown(self.sequence)


class Discarded(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was left out of a projection: which, what it failed with, who decided so, when and why.

    It is left out as long as the projection is in that ``epoch``: a rebuild meets the event again.
    """

    projection: str
    version: int
    sequence: str
    position: int
    event: str
    error: str
    epoch: int
    discarded_at: datetime
    discarded_by: str
    reason: str


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """An order that a projection stand still: since when, and whose order it is."""

    projection: str
    paused_at: datetime
    paused_by: str


def sequence_of(key: RowKey) -> str:
    """The name of a row's sequence: its key, as JSON."""
    return msgspec.json.encode(_plain(key)).decode()


def key_of(sequence: str) -> RowKey:
    """The key of the row whose sequence that is; ``None`` for an event alone."""
    return None if sequence.startswith(_ALONE) else _key_of(msgspec.json.decode(sequence))


def shown(sequence: str) -> str:
    """A sequence as people write it: a key of one text without quotes."""
    key = key_of(sequence)
    return key if isinstance(key, str) else sequence


def alone(position: int) -> str:
    """The name of a sequence that is the event at that position, and nothing else."""
    return f"{_ALONE}{position}"


def sequence_at(key: RowKey, position: int) -> str:
    """The sequence of that row, or the event alone if there is no key, or one that no store could keep."""
    try:
        return alone(position) if key is None else sequence_of(key)
    except (ValueError, OverflowError, TypeError):
        return alone(position)


def error_text(error: BaseException) -> str:
    """What an event failed with, in a text that every store takes, whatever stands in the error."""
    try:
        told = str(error)
    except Exception:  # noqa: BLE001  an error of the user, which cannot even say what it is
        told = ""
    return storable_text(f"{type(error).__name__}: {told}" if told else type(error).__name__)


def storable_text(text: str) -> str:
    """The text as every store takes it: not endless, without NUL, in Unicode."""
    return text[:_LONGEST_TEXT].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def parked_facts(parked: Parked) -> tuple[str, int, str, int, str, str, int, int]:
    """A parked sequence as the values of its row."""
    place = (parked.projection, parked.version, parked.sequence)
    return (*place, parked.position, parked.event, parked.error, parked.attempts, _microseconds(parked.parked_at))


def parked_of(row: Sequence[Any]) -> Parked:
    """A row of the table as what it means."""
    projection, version, sequence, position, event, error, attempts, at = row
    return Parked(
        projection=projection,
        version=version,
        sequence=sequence,
        position=position,
        event=event,
        error=error,
        attempts=attempts,
        parked_at=_time(at),
    )


def discarded_facts(discarded: Discarded) -> tuple[str, int, str, int, str, str, int, int, str, str]:
    """A discarded event as the values of its row."""
    place = (discarded.projection, discarded.version, discarded.sequence, discarded.position)
    at = _microseconds(discarded.discarded_at)
    return (*place, discarded.event, discarded.error, discarded.epoch, at, discarded.discarded_by, discarded.reason)


def discarded_of(row: Sequence[Any]) -> Discarded:
    """A row of the table as what it means."""
    projection, version, sequence, position, event, error, epoch, at, by, reason = row
    return Discarded(
        projection=projection,
        version=version,
        sequence=sequence,
        position=position,
        event=event,
        error=error,
        epoch=epoch,
        discarded_at=_time(at),
        discarded_by=by,
        reason=reason,
    )


def pause_facts(pause: Pause) -> tuple[str, int, str]:
    """An order to stand still as the values of its row."""
    return pause.projection, _microseconds(pause.paused_at), pause.paused_by


def _plain(key: Any) -> Any:
    if isinstance(key, bytes):
        return _Bytes(base64.b64encode(key).decode())
    return list(map(_plain, key)) if key.__class__ is tuple else key


def _key_of(plain: Any) -> Any:
    if plain.__class__ is list:
        return tuple(map(_key_of, plain))
    return base64.b64decode(msgspec.convert(plain, _Bytes).base64) if plain.__class__ is dict else plain


class _Bytes(msgspec.Struct):
    """How a key of bytes stands in JSON, which has none."""

    base64: str


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


class Skips(msgspec.Struct, frozen=True):
    """What a projection leaves out because it is parked: the events of some rows, and some events alone."""

    keys: frozenset[RowKey] = frozenset()
    positions: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.keys or self.positions)

    def with_(self, sequence: str) -> Skips:
        """These, and one more."""
        if sequence.startswith(_ALONE):
            return Skips(self.keys, self.positions | {int(sequence.removeprefix(_ALONE))})
        return Skips(self.keys | {key_of(sequence)}, self.positions)


NOTHING_SKIPPED = Skips()


def skips_of(parked: Iterable[Parked], projection: str, version: int) -> Skips:
    """What a version of a projection leaves out."""
    return skipping(each.sequence for each in parked if (each.projection, each.version) == (projection, version))


def skipping(sequences: Iterable[str]) -> Skips:
    """Leave these sequences out."""
    made = NOTHING_SKIPPED
    for sequence in sequences:
        made = made.with_(sequence)
    return made
