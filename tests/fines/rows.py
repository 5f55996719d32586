"""Rows of the log as the commands an office would give. Reads: messages.py. Read next: replay.py.

A row carries its own values only, never those of later rows, and each has a key, so that it counts once however often
it is sent.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import NamedTuple, get_args

from tests.fines.messages import (
    AddPenalty,
    CallJudge,
    CollectFine,
    CreateFine,
    FileAppeal,
    FineCommand,
    ForwardAppeal,
    InsertNotification,
    RecordPayment,
    RecordRuling,
    SendFine,
    Step,
    TellOffender,
)

ACTIVITIES = (
    "Create Fine",
    "Send Fine",
    "Insert Fine Notification",
    "Add penalty",
    "Payment",
    "Send for Credit Collection",
    "Insert Date Appeal to Prefecture",
    "Send Appeal to Prefecture",
    "Receive Result Appeal from Prefecture",
    "Notify Result Appeal to Offender",
    "Appeal to Judge",
)
ACTIVITY_OF: dict[Step, str] = dict(zip(get_args(Step), ACTIVITIES, strict=True))

_NIL = "NIL"


class Row(NamedTuple):
    """The columns of the file."""

    case: str
    seq: str
    activity: str
    date: str
    amount: str
    expense: str
    payment: str
    total_paid: str
    article: str
    points: str
    vehicle_class: str
    dismissal: str
    notification_type: str
    last_sent: str
    officer: str
    judge_ref: str

    @property
    def key(self) -> str:
        """What makes its command count once."""
        return f"{self.case}/{self.seq}"


def read_rows(log: Path, limit: int | None = None) -> Iterator[Row]:
    """The first ``limit`` rows of the file, in its order."""
    with gzip.open(log, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        assert tuple(next(lines)) == Row._fields
        yield from map(Row._make, islice(lines, limit))


def command_of(row: Row) -> FineCommand:
    """What the office ordered."""
    return _COMMANDS[row.activity](row, date.fromisoformat(row.date))


def _cents(euro: str) -> int:
    return round(float(euro) * 100)


def _code(dismissal: str) -> str | None:
    return None if dismissal == _NIL else dismissal


def _create(row: Row, on: date) -> FineCommand:
    return CreateFine(
        fine_id=row.case,
        on=on,
        amount=_cents(row.amount),
        article=row.article,
        points=int(row.points),
        vehicle_class=row.vehicle_class,
        officer=row.officer,
        dismissal=_code(row.dismissal),
    )


def _pay(row: Row, on: date) -> FineCommand:
    return RecordPayment(fine_id=row.case, on=on, amount=_cents(row.payment), stated_total=_cents(row.total_paid))


def _notify(row: Row, on: date) -> FineCommand:
    return InsertNotification(
        fine_id=row.case, on=on, notification_type=row.notification_type, last_sent=row.last_sent or None
    )


def _judge(row: Row, on: date) -> FineCommand:
    return CallJudge(
        fine_id=row.case,
        on=on,
        officer=row.officer,
        register_number=row.judge_ref,
        dismissal=_code(row.dismissal),
    )


_COMMANDS: dict[str, Callable[[Row, date], FineCommand]] = {
    "Create Fine": _create,
    "Send Fine": lambda row, on: SendFine(fine_id=row.case, on=on, expense=_cents(row.expense)),
    "Insert Fine Notification": _notify,
    "Add penalty": lambda row, on: AddPenalty(fine_id=row.case, on=on, amount=_cents(row.amount)),
    "Payment": _pay,
    "Send for Credit Collection": lambda row, on: CollectFine(fine_id=row.case, on=on),
    "Insert Date Appeal to Prefecture": lambda row, on: FileAppeal(fine_id=row.case, on=on),
    "Send Appeal to Prefecture": lambda row, on: ForwardAppeal(fine_id=row.case, on=on, dismissal=_code(row.dismissal)),
    "Receive Result Appeal from Prefecture": lambda row, on: RecordRuling(fine_id=row.case, on=on),
    "Notify Result Appeal to Offender": lambda row, on: TellOffender(fine_id=row.case, on=on),
    "Appeal to Judge": _judge,
}
