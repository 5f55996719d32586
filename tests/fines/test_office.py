"""The rules of the office, by scenario; none of these needs the log."""

from __future__ import annotations

from datetime import date

import pytest
from tests.fines.app import app
from tests.fines.fine import Fine
from tests.fines.messages import (
    AddPenalty,
    CollectFine,
    CreateFine,
    FineCollected,
    FineCreated,
    FineSent,
    InsertNotification,
    NotificationInserted,
    PaymentReceived,
    PenaltyAdded,
    RecordPayment,
    SendFine,
)

from headwater.errors import InvalidMessage
from headwater.testing import scenario

MAY = date(2006, 5, 2)
CREATE = CreateFine(fine_id="A1", on=MAY, amount=3500, article="157", points=0, vehicle_class="A", officer="561")
CREATED = FineCreated(
    fine_id="A1", on=MAY, amount=3500, article="157", points=0, vehicle_class="A", officer="561", dismissal=None
)
SENT = FineSent(fine_id="A1", on=MAY, expense=1100)
NOTIFIED = NotificationInserted(fine_id="A1", on=MAY, notification_type="P", last_sent=None)
PENALISED = PenaltyAdded(fine_id="A1", on=MAY, amount=7150, previous_amount=3500, after_full_payment=False)


def paid(amount, total, *, before_sending=False):
    return PaymentReceived(
        fine_id="A1", on=MAY, amount=amount, total=total, stated_total=total, before_sending=before_sending
    )


def test_a_fine_is_created_once():
    """The second time it is refused."""
    scenario(Fine).when(CREATE).then(CREATED)
    scenario(Fine).given(CREATED).when(CREATE).then_refused("fine-exists")


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ((), SendFine(fine_id="A1", on=MAY, expense=0)),
        ((), RecordPayment(fine_id="A1", on=MAY, amount=1, stated_total=1)),
        ((CREATED, SENT), SendFine(fine_id="A1", on=MAY, expense=0)),
        ((CREATED,), InsertNotification(fine_id="A1", on=MAY, notification_type="P")),
        ((CREATED, SENT), AddPenalty(fine_id="A1", on=MAY, amount=7150)),
        ((CREATED, SENT, NOTIFIED), CollectFine(fine_id="A1", on=MAY)),
    ],
)
def test_what_is_not_due_is_not_on_offer(given, command):
    """Steps have an order, and happen once."""
    scenario(Fine).given(*given).when(command).then_refused("not-available")


def test_the_book_is_kept_in_order_of_time():
    """Nothing is entered for a day before the last entry."""
    scenario(Fine).given(CREATED).when(SendFine(fine_id="A1", on=date(2006, 5, 1), expense=0)).then_refused("too-late")


def test_a_penalty_raises_the_fine():
    """It says what was due before; a lower amount is refused."""
    penalty = AddPenalty(fine_id="A1", on=MAY, amount=7150)
    scenario(Fine).given(CREATED, SENT, NOTIFIED).when(penalty).then(PENALISED)
    lower = AddPenalty(fine_id="A1", on=MAY, amount=3499)
    scenario(Fine).given(CREATED, SENT, NOTIFIED).when(lower).then_refused("penalty-too-low")


def test_payments_add_up_whatever_the_cash_desk_says():
    """The stated total is kept beside the right one."""
    payment = RecordPayment(fine_id="A1", on=MAY, amount=600, stated_total=9)
    event = PaymentReceived(fine_id="A1", on=MAY, amount=600, total=4100, stated_total=9, before_sending=False)
    scenario(Fine).given(CREATED, SENT, paid(3500, 3500)).when(payment).then(event)


def test_collection_is_told_what_is_left():
    """Fine and expenses, less what was paid."""
    given = (CREATED, SENT, NOTIFIED, PENALISED, paid(250, 250))
    scenario(Fine).given(*given).when(CollectFine(fine_id="A1", on=MAY)).then(
        FineCollected(fine_id="A1", on=MAY, outstanding=8000)
    )


async def test_nonsense_is_refused_with_every_fault():
    """Before anything is decided."""
    nonsense = CreateFine(fine_id="", on=MAY, amount=-1, article="x", points=99, vehicle_class="A", officer="561")
    async with app.test() as office:
        with pytest.raises(InvalidMessage) as refused:
            await office.execute(nonsense)
    assert {fault.pointer for fault in refused.value.errors} == {"/fine_id", "/amount", "/article", "/points"}
