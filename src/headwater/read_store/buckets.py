"""Times cut to years, quarters, months, weeks, days or hours, in UTC or a named zone.

Reads: columns.py (how times are stored), reports.py. Read next: figures.py.

A bucket is known by its label, a text that sorts as the times do and that each database makes from what is stored. A
week's label is its Monday. Zones are tables of offsets, read once from the zone's own rules: so every database cuts
alike, whatever it knows of zones itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from headwater.errors import InvalidFilter
from headwater.figure_marks import Unit

SECONDS_LENGTH = 19
"""How much of a stored time there is to the second."""
ZULU = 26
"""Where a stored time ends in Z if it is an instant. A time without zone is local already, and is never shifted."""

LABEL_LENGTHS: dict[Unit, int] = {"year": 4, "month": 7, "day": 10, "hour": 13}
"""How much of a stored time is its label; quarters and weeks are computed."""
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_FORMAT = "%Y-%m-%dT%H:%M:%S"


class Offsets(msgspec.Struct, frozen=True):
    """A zone's offsets in seconds: ``seconds[0]`` before ``cuts[0]``, ``seconds[1]`` from there on, and so forth.

    Exact from 1900 to 2200. Outside it goes on with the nearest offset, up to the edges of what a date can be.
    """

    zone: str
    cuts: tuple[str, ...]
    seconds: tuple[int, ...]

    def at(self, text: str) -> int:
        """The offset at a stored time."""
        return self.seconds[bisect_right(self.cuts, text)]


@lru_cache(maxsize=64)
def offsets_of(zone: str) -> Offsets | None:
    """The offsets of a zone; ``None`` for UTC. Raises ``InvalidFilter`` if there is no such zone."""
    if zone == "UTC":
        return None
    info = zone_of(zone)
    cuts, seconds = ["0001-01-03T00:00:00.000000Z"], [0]
    step, end = timedelta(days=1), datetime(_LAST_YEAR, 1, 1, tzinfo=UTC)
    at = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    seconds.append(_offset(info, at))
    while at < end:
        following = at + step
        if _offset(info, following) != seconds[-1]:
            cuts.append(_text(_change(info, at, following)))
            seconds.append(_offset(info, following))
        at = following
    return Offsets(zone, (*cuts, "9999-12-30T00:00:00.000000Z"), (*seconds, 0))


def zone_of(zone: str) -> ZoneInfo:
    """The zone of that name. Raises ``InvalidFilter``."""
    try:
        return ZoneInfo(zone)
    except (OSError, ValueError, LookupError) as error:
        raise InvalidFilter(f"{zone!r} is no time zone known here", remedy="write one like Europe/Rome") from error


def label_of(text: str, unit: Unit, offsets: Offsets | None) -> str:
    """The label of the bucket that a stored time or day falls into. The reference for what a backend's SQL does."""
    if offsets is not None and text[ZULU:] == "Z" and (seconds := offsets.at(text)):
        moved = datetime.fromisoformat(text[:SECONDS_LENGTH]) + timedelta(seconds=seconds)
        text = moved.isoformat()
    if unit == "quarter":
        return f"{text[:4]}-Q{(int(text[5:7]) + 2) // 3}"
    if unit == "week":
        day = date.fromisoformat(text[:10])
        return (day - timedelta(days=day.weekday())).isoformat()
    return text[: LABEL_LENGTHS[unit]]


def bucket_loader(unit: Unit, wanted: Any, zone: str | None) -> Callable[[str], Any] | None:
    """The way from a label to the wanted type, ``None`` if there is none."""
    if wanted is str:
        return _week if unit == "week" else _same
    if wanted is int and unit == "year":
        return int
    if wanted is date and unit != "hour":
        return _day
    if wanted is datetime:
        info = UTC if zone in (None, "UTC") else zone_of(str(zone))
        return lambda label: _beginning(label).replace(tzinfo=info)
    return None


def _same(label: str) -> str:
    return label


def _week(label: str) -> str:
    year, week, _ = date.fromisoformat(label).isocalendar()
    return f"{year:04d}-W{week:02d}"


def _day(label: str) -> date:
    return _beginning(label).date()


def _beginning(label: str) -> datetime:
    year, _, rest = label.partition("-")
    if rest.startswith("Q"):
        return datetime(int(year), int(rest[1:]) * 3 - 2, 1)  # noqa: DTZ001  the caller adds the zone
    return datetime.fromisoformat(label + "0001-01-01T00:00"[len(label) :])


def _offset(info: ZoneInfo, at: datetime) -> int:
    return int((at.astimezone(info).utcoffset() or timedelta()).total_seconds())


def _change(info: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The second at which the offset becomes what it is at ``high``."""
    wanted = _offset(info, high)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (low, middle) if _offset(info, middle) == wanted else (middle, high)
    return high


def _text(at: datetime) -> str:
    return at.strftime(_FORMAT) + ".000000Z"
