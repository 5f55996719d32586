"""What the figures must be: counted from the raw rows of the file, by code that shares nothing with the application.

Reads: nothing of the desk. Read next: demo.py.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TextIO

SHIPPED_LOG = Path(__file__).parent / "data" / "incidents.csv.gz"
SHIPPED_TRUTH = Path(__file__).parent / "data" / "incidents.truth.json"

_TOP_GROUPS = 10
_SECONDS_A_MINUTE = 60


class Row(NamedTuple):
    """The columns that are counted, as they stand in the file."""

    case: str
    seq: str
    activity: str
    timestamp: str
    opened_at: str
    resolved_at: str
    reassignment_count: str
    reopen_count: str
    sys_mod_count: str
    made_sla: str
    priority: str
    assignment_group: str
    caller_id: str


def shipped_truth() -> dict[str, Any]:
    """The figures of the whole shipped log as they were counted when it was put together."""
    truth: dict[str, Any] = json.loads(SHIPPED_TRUTH.read_text(encoding="utf-8"))
    return truth


def expected_figures(path: Path, *, limit: int | None = None, without: Collection[int] = ()) -> dict[str, Any]:
    """The figures of the first ``limit`` lines of a log, leaving out the lines numbered in ``without``."""
    cases = _cases(path, limit, frozenset(without))
    rows = [row for case in cases for row in case]
    first, last = [case[0] for case in cases], [case[-1] for case in cases]
    minutes = [_minutes_to_resolve(row) for row in last if _resolution_is_known(row)]
    groups = Counter(row.assignment_group for row in last if row.assignment_group)
    reopens = Counter(int(row.reopen_count) for row in last)
    return {
        "cases": len(cases),
        "events": len(rows),
        "longest_case": max(map(len, cases), default=0),
        "rows_per_state": dict(Counter(row.activity for row in rows)),
        "last_state": dict(Counter(row.activity for row in last)),
        "opened_per_month": dict(Counter(row.opened_at[:7] for row in last)),
        "last_priority": dict(Counter(row.priority for row in last)),
        "reopen_count_at_end": {str(count): reopens[count] for count in sorted(reopens)},
        "figures": {
            "reassignments (sum of last values)": sum(int(row.reassignment_count) for row in last),
            "modifications (sum of last values)": sum(int(row.sys_mod_count) for row in last),
            "has resolved_at": len(minutes),
            "reassigned at least once": sum(row.reassignment_count != "0" for row in last),
            "first row is not New": sum(row.activity != "New" for row in first),
            "SLA missed": sum(row.made_sla == "false" for row in last),
            "rows not in time order": sum(
                after.timestamp < before.timestamp for case in cases for before, after in pairwise(case)
            ),
        },
        "median_minutes_to_resolve": int(median(minutes)) if minutes else 0,
        "negative_resolve_times": sum(taken < 0 for taken in minutes),
        "top_groups_at_end": [list(pair) for pair in sorted(groups.items(), key=_busiest_first)[:_TOP_GROUPS]],
        "distinct_callers": len({row.caller_id for row in last}),
    }


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Every figure that is not as it must be, by name, with both values."""
    names = dict.fromkeys((*wanted, *found))
    return [
        f"{name}: {found.get(name)!r}, but the log says {wanted.get(name)!r}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]


def _cases(path: Path, limit: int | None, without: frozenset[int]) -> list[list[Row]]:
    """The rows of each case, in the order of ``seq``."""
    cases: defaultdict[str, list[Row]] = defaultdict(list)
    with _opened(path) as file:
        table = csv.DictReader(file)
        for fields in table:
            if limit is not None and table.line_num > limit + 1:
                break
            if table.line_num not in without:
                cases[fields["case"]].append(Row(*(fields[name] for name in Row._fields)))
    for case in cases.values():
        case.sort(key=lambda row: int(row.seq))
    return list(cases.values())


def _opened(path: Path) -> TextIO:
    """The file as text. Lines that are not UTF-8 are broken rows, which are left out by their number."""
    if path.read_bytes()[:2] == b"\x1f\x8b":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="")
    return path.open(encoding="utf-8", errors="replace", newline="")


def _resolution_is_known(row: Row) -> bool:
    """The publisher wrote the final outcome on every row; it is known only once that resolution was saved."""
    return row.activity in ("Resolved", "Closed") and "" < row.resolved_at <= row.timestamp


def _minutes_to_resolve(row: Row) -> float:
    taken = datetime.fromisoformat(row.resolved_at) - datetime.fromisoformat(row.opened_at)
    return taken.total_seconds() / _SECONDS_A_MINUTE


def _busiest_first(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]
