"""A fine: its state, and what the office may decide about it. Reads: messages.py. Read next: views.py.

The rules are those of the office, as untidy as it is: a fine may be paid before it is sent, or when nothing is owed
any more; a penalty may fall on what was paid. But nothing is notified that was not sent, nothing is penalised without
notice, only what was penalised is collected, and apart from payments nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec
from tests.fines.messages import (
    AddPenalty,
    AppealFiled,
    AppealForwarded,
    AppealRuled,
    CallJudge,
    CollectFine,
    CreateFine,
    FileAppeal,
    FineCollected,
    FineCommand,
    FineCreated,
    FineEvent,
    FineId,
    FineSent,
    ForwardAppeal,
    InsertNotification,
    JudgeCalled,
    NotificationInserted,
    OffenderTold,
    PaymentReceived,
    PenaltyAdded,
    RecordPayment,
    RecordRuling,
    SendFine,
    Step,
    TellOffender,
)

from headwater import Aggregate, Refused, decide, evolve

STEP_OF: dict[type[FineEvent], Step] = {
    FineCreated: "created",
    FineSent: "sent",
    NotificationInserted: "notified",
    PenaltyAdded: "penalised",
    PaymentReceived: "paid",
    FineCollected: "collected",
    AppealFiled: "filed",
    AppealForwarded: "forwarded",
    AppealRuled: "ruled",
    OffenderTold: "told",
    JudgeCalled: "judged",
}


def once(step: Step, *, after: Step = "created") -> Callable[[Fine], bool | str]:
    """On offer while that has not happened yet, but what must come before it has."""

    def is_due(fine: Fine) -> bool | str:
        if after not in fine.steps:
            return f"fine {fine.fine_id} was not {after} yet"
        return step not in fine.steps or f"fine {fine.fine_id} was {step} already"

    return is_due


class Fine(Aggregate):
    """One fine. Its boundary is every event tagged ``fine:<id>``."""

    fine_id: FineId
    steps: set[Step] = msgspec.field(default_factory=set)
    changed_on: date = date.min
    amount: int = 0
    expenses: int = 0
    paid: int = 0

    @property
    def owed(self) -> int:
        """What is still to be paid; negative if too much was."""
        return self.amount + self.expenses - self.paid

    @evolve
    def happened(
        self,
        event: FineCreated
        | FineSent
        | NotificationInserted
        | PenaltyAdded
        | PaymentReceived
        | AppealFiled
        | AppealForwarded
        | AppealRuled
        | OffenderTold
        | JudgeCalled
        | FineCollected,
    ) -> None:
        """Remember the step, and what it does to the debt."""
        self.steps.add(STEP_OF[type(event)])
        self.changed_on = event.on
        if isinstance(event, (FineCreated, PenaltyAdded)):
            self.amount = event.amount
        elif isinstance(event, FineSent):
            self.expenses += event.expense
        elif isinstance(event, PaymentReceived):
            self.paid = event.total

    @decide
    def create(self, command: CreateFine) -> FineCreated:
        if self.steps:
            raise Refused("fine-exists", f"fine {self.fine_id} exists already")
        return FineCreated(
            fine_id=self.fine_id,
            on=command.on,
            amount=command.amount,
            article=command.article,
            points=command.points,
            vehicle_class=command.vehicle_class,
            officer=command.officer,
            dismissal=command.dismissal,
        )

    @decide(when=once("sent"))
    def send(self, command: SendFine) -> FineSent:
        return FineSent(fine_id=self.fine_id, on=self._in_turn(command), expense=command.expense)

    @decide(when=once("notified", after="sent"))
    def notify(self, command: InsertNotification) -> NotificationInserted:
        return NotificationInserted(
            fine_id=self.fine_id,
            on=self._in_turn(command),
            notification_type=command.notification_type,
            last_sent=command.last_sent,
        )

    @decide(when=once("penalised", after="notified"))
    def penalise(self, command: AddPenalty) -> PenaltyAdded:
        if command.amount < self.amount:
            raise Refused("penalty-too-low", f"a penalty raises the fine, {command.amount} is less than {self.amount}")
        return PenaltyAdded(
            fine_id=self.fine_id,
            on=self._in_turn(command),
            amount=command.amount,
            previous_amount=self.amount,
            after_full_payment=self.owed <= 0,
        )

    @decide(when=lambda fine: "created" in fine.steps or f"there is no fine {fine.fine_id}")
    def pay(self, command: RecordPayment) -> PaymentReceived:
        return PaymentReceived(
            fine_id=self.fine_id,
            on=self._in_turn(command),
            amount=command.amount,
            total=self.paid + command.amount,
            stated_total=command.stated_total,
            before_sending="sent" not in self.steps,
        )

    @decide(when=once("filed"))
    def file_appeal(self, command: FileAppeal) -> AppealFiled:
        return AppealFiled(fine_id=self.fine_id, on=self._in_turn(command))

    @decide(when=once("forwarded"))
    def forward_appeal(self, command: ForwardAppeal) -> AppealForwarded:
        return AppealForwarded(fine_id=self.fine_id, on=self._in_turn(command), dismissal=command.dismissal)

    @decide(when=once("ruled"))
    def record_ruling(self, command: RecordRuling) -> AppealRuled:
        return AppealRuled(fine_id=self.fine_id, on=self._in_turn(command))

    @decide(when=once("told"))
    def tell(self, command: TellOffender) -> OffenderTold:
        return OffenderTold(fine_id=self.fine_id, on=self._in_turn(command))

    @decide(when=once("judged"))
    def call_judge(self, command: CallJudge) -> JudgeCalled:
        return JudgeCalled(
            fine_id=self.fine_id,
            on=self._in_turn(command),
            dismissal=command.dismissal,
            officer=command.officer,
            register_number=command.register_number,
            after_prefecture="forwarded" in self.steps,
        )

    @decide(when=once("collected", after="penalised"))
    def collect(self, command: CollectFine) -> FineCollected:
        return FineCollected(fine_id=self.fine_id, on=self._in_turn(command), outstanding=max(0, self.owed))

    def _in_turn(self, command: FineCommand) -> date:
        if command.on < self.changed_on:
            raise Refused("too-late", f"fine {self.fine_id} changed on {self.changed_on}, after {command.on}")
        return command.on
