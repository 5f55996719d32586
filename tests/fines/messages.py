"""What is said about a fine: its identity, what happens to it, and what the office orders. Read next: fine.py.

Dates are the office's calendar dates, amounts are whole cents.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from headwater import Command, Event, Tag

FineId = Annotated[str, Tag("fine"), Meta(min_length=1, max_length=40)]
Cents = Annotated[int, Meta(ge=0, le=100_000_000)]
Code = Annotated[str, Meta(min_length=1, max_length=10)]
Article = Annotated[str, Meta(pattern=r"^[0-9]{1,4}$")]
VehicleClass = Literal["A", "C", "M", "R"]
Step = Literal[
    "created", "sent", "notified", "penalised", "paid", "collected", "filed", "forwarded", "ruled", "told", "judged"
]
"""What can happen to a fine, in the order in which it usually does."""

DISMISSED_BY_PREFECTURE = "#"
DISMISSED_BY_JUDGE = "G"


# -- events


class FineEvent(Event):
    """What every event says: which fine, and when."""

    fine_id: FineId
    on: date


class FineCreated(FineEvent):
    amount: Cents
    article: Article
    points: int
    vehicle_class: VehicleClass
    officer: Code
    dismissal: str | None


class FineSent(FineEvent):
    expense: Cents


class NotificationInserted(FineEvent):
    notification_type: Code
    last_sent: Code | None


class PenaltyAdded(FineEvent):
    """The amount is another one from now on. ``after_full_payment`` if nothing was owed before."""

    amount: Cents
    previous_amount: Cents
    after_full_payment: bool


class PaymentReceived(FineEvent):
    """``total`` is what was paid so far, ``stated_total`` what the cash desk believes it is."""

    amount: Cents
    total: Cents
    stated_total: Cents
    before_sending: bool


class AppealFiled(FineEvent):
    pass


class AppealForwarded(FineEvent):
    dismissal: str | None


class AppealRuled(FineEvent):
    pass


class OffenderTold(FineEvent):
    pass


class JudgeCalled(FineEvent):
    dismissal: str | None
    officer: Code
    register_number: Code
    after_prefecture: bool


class FineCollected(FineEvent):
    """It went to a collector, who is to get what was ``outstanding``."""

    outstanding: Cents


# -- commands


class FineCommand(Command):
    """What every command says: which fine, and the date it is for."""

    fine_id: FineId
    on: date


class CreateFine(FineCommand):
    amount: Cents
    article: Article
    points: Annotated[int, Meta(ge=0, le=20)]
    vehicle_class: VehicleClass
    officer: Code
    dismissal: Code | None = None


class SendFine(FineCommand):
    expense: Cents


class InsertNotification(FineCommand):
    notification_type: Literal["P", "C"]
    last_sent: Literal["P", "N", "C"] | None = None


class AddPenalty(FineCommand):
    """The fine was not paid in time: ``amount`` replaces what it was."""

    amount: Cents


class RecordPayment(FineCommand):
    amount: Cents
    stated_total: Cents


class FileAppeal(FineCommand):
    """The offender appeals to the prefecture."""


class ForwardAppeal(FineCommand):
    """The office sends the appeal on, with its own view of it."""

    dismissal: Code | None = None


class RecordRuling(FineCommand):
    """The prefecture's answer came in."""


class TellOffender(FineCommand):
    """The offender is told of the ruling."""


class CallJudge(FineCommand):
    """The offender appeals to the judge."""

    officer: Code
    register_number: Code
    dismissal: Code | None = None


class CollectFine(FineCommand):
    """Hand it to a collector of debts."""
