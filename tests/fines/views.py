"""What the office looks at: each fine, and what is counted per year, step, article and class of vehicle.

Reads: messages.py, fine.py. Read next: figures.py.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, TypeAlias

import msgspec
from msgspec.structs import replace
from tests.fines.fine import STEP_OF
from tests.fines.messages import (
    DISMISSED_BY_JUDGE,
    DISMISSED_BY_PREFECTURE,
    AppealFiled,
    AppealForwarded,
    AppealRuled,
    FineCollected,
    FineCreated,
    FineSent,
    JudgeCalled,
    NotificationInserted,
    OffenderTold,
    PaymentReceived,
    PenaltyAdded,
    Step,
    VehicleClass,
)

from headwater import Indexed, Key, Page, PageRequest, Projection, Query, Reader, ReadModel, Sort, answers, on

AnyFineEvent: TypeAlias = (
    FineCreated
    | FineSent
    | NotificationInserted
    | PenaltyAdded
    | PaymentReceived
    | AppealFiled
    | AppealForwarded
    | AppealRuled
    | OffenderTold
    | JudgeCalled
    | FineCollected
)

# -- each fine


class FineRow(ReadModel):
    """A fine as it stands. ``path`` names its steps in order, ``status`` is the last of them."""

    fine_id: Annotated[str, Key()]
    status: Annotated[Step, Indexed()]
    path: str
    steps: int
    article: str
    vehicle_class: VehicleClass
    created: int
    amount: int
    expenses: int = 0
    paid: int = 0
    payments: int = 0
    is_dismissed: bool = False
    is_judged_after_prefecture: bool = False

    @property
    def owed(self) -> int:
        """What is still to be paid; negative if too much was."""
        return self.amount + self.expenses - self.paid


class Fines(Projection[FineRow]):
    @on
    def created(self, event: FineCreated) -> FineRow:
        return FineRow(
            fine_id=event.fine_id,
            status="created",
            path="created",
            steps=1,
            article=event.article,
            vehicle_class=event.vehicle_class,
            created=event.amount,
            amount=event.amount,
        )

    @on
    def sent(self, event: FineSent, row: FineRow) -> FineRow:
        return replace(_gone_on(row, "sent"), expenses=row.expenses + event.expense)

    @on
    def penalised(self, event: PenaltyAdded, row: FineRow) -> FineRow:
        return replace(_gone_on(row, "penalised"), amount=event.amount)

    @on
    def paid(self, event: PaymentReceived, row: FineRow) -> FineRow:
        return replace(_gone_on(row, "paid"), paid=row.paid + event.amount, payments=row.payments + 1)

    @on
    def forwarded(self, event: AppealForwarded, row: FineRow) -> FineRow:
        is_dismissed = row.is_dismissed or event.dismissal == DISMISSED_BY_PREFECTURE
        after_judge = "judged" in row.path
        return replace(_gone_on(row, "forwarded"), is_dismissed=is_dismissed, is_judged_after_prefecture=after_judge)

    @on
    def judged(self, event: JudgeCalled, row: FineRow) -> FineRow:
        is_dismissed = row.is_dismissed or event.dismissal == DISMISSED_BY_JUDGE
        return replace(
            _gone_on(row, "judged"), is_dismissed=is_dismissed, is_judged_after_prefecture=event.after_prefecture
        )

    @on
    def went_on(
        self,
        event: NotificationInserted | AppealFiled | AppealRuled | OffenderTold | FineCollected,
        row: FineRow,
    ) -> FineRow:
        return _gone_on(row, STEP_OF[type(event)])


def _gone_on(row: FineRow, step: Step) -> FineRow:
    return replace(row, status=step, path=f"{row.path} {step}", steps=row.steps + 1)


class FindFines(Query[Page[FineRow]]):
    """Fines that stand at a step."""

    status: Step | None = None
    sort: Sort = "fine_id"
    page: PageRequest = PageRequest(size=50)


@answers
async def find_fines(query: FindFines, fines: Reader[FineRow]) -> Page[FineRow]:
    return await fines.where(status=query.status).sort(query.sort).page(query.page)


class FineSummary(msgspec.Struct, frozen=True):
    """Sums over all fines as they stand: how many ended how, in which steps, and the money."""

    fines: int
    longest: int
    ends: dict[str, int]
    paths: dict[str, int]
    cents: dict[str, int]
    outcomes: dict[str, int]
    outlived_collection: int


class SummariseFines(Query[FineSummary]):
    """Sums over all fines as they stand."""


@answers
async def summarise_fines(_query: SummariseFines, fines: Reader[FineRow]) -> FineSummary:
    ends, paths = Counter[str](), Counter[str]()
    cents, outcomes = Counter[str](), Counter[str]()
    longest = outlived = 0
    async for row in fines.stream():
        ends[row.status] += 1
        paths[row.path] += 1
        longest = max(longest, row.steps)
        outlived += row.status != "collected" and "collected" in row.path
        cents.update(_money(row))
        outcomes.update(_outcomes(row))
    return FineSummary(ends.total(), longest, dict(ends), dict(paths), dict(cents), dict(outcomes), outlived)


def _money(row: FineRow) -> dict[str, int]:
    return {
        "created": row.created,
        "raised_by_penalty": row.amount - row.created,
        "expenses": row.expenses,
        "paid": row.paid,
        "outstanding": max(0, row.owed),
        "overpaid": max(0, -row.owed),
    }


def _outcomes(row: FineRow) -> dict[str, int]:
    is_collected = "collected" in row.path
    return {
        "unpaid": row.paid == 0,
        "sent for credit collection": is_collected,
        "outstanding cents in collection": max(0, row.owed) * is_collected,
        "penalised": "penalised" in row.path,
        "part-paid": row.paid > 0 and row.owed > 0,
        "paid in several payments": row.payments > 1,
        "overpaid": row.owed < 0,
        "settled exactly": row.paid > 0 and row.owed == 0,
        "dismissed (# prefecture, G judge)": row.is_dismissed,
        "appealed to both prefecture and judge": row.is_judged_after_prefecture,
    }


# -- counters, which move by the event alone


class YearRow(ReadModel):
    """What happened in a year: fines, cents paid, collections, and what is odd about payments and penalties."""

    year: Annotated[str, Key()]
    fines: int = 0
    paid: int = 0
    collections: int = 0
    paid_before_sending: int = 0
    differing_totals: int = 0
    empty_payments: int = 0
    penalties_after_payment: int = 0


class Years(Projection[YearRow]):
    @on(key=lambda event: f"{event.on.year}")
    def created(self, event: FineCreated, row: YearRow | None) -> YearRow:
        row = row or YearRow(year=f"{event.on.year}")
        return replace(row, fines=row.fines + 1)

    @on(key=lambda event: f"{event.on.year}")
    def paid(self, event: PaymentReceived, row: YearRow | None) -> YearRow:
        row = row or YearRow(year=f"{event.on.year}")
        return replace(
            row,
            paid=row.paid + event.amount,
            paid_before_sending=row.paid_before_sending + event.before_sending,
            differing_totals=row.differing_totals + (event.total != event.stated_total),
            empty_payments=row.empty_payments + (event.amount == 0),
        )

    @on(key=lambda event: f"{event.on.year}")
    def penalised(self, event: PenaltyAdded, row: YearRow | None) -> YearRow:
        row = row or YearRow(year=f"{event.on.year}")
        return replace(row, penalties_after_payment=row.penalties_after_payment + event.after_full_payment)

    @on(key=lambda event: f"{event.on.year}")
    def collected(self, event: FineCollected, row: YearRow | None) -> YearRow:
        row = row or YearRow(year=f"{event.on.year}")
        return replace(row, collections=row.collections + 1)


class StepRow(ReadModel):
    step: Annotated[Step, Key()]
    times: int = 0


class Steps(Projection[StepRow]):
    @on(key=lambda event: STEP_OF[type(event)])
    def counted(self, event: AnyFineEvent, row: StepRow | None) -> StepRow:
        row = row or StepRow(step=STEP_OF[type(event)])
        return replace(row, times=row.times + 1)


class ArticleRow(ReadModel):
    article: Annotated[str, Key()]
    fines: Annotated[int, Indexed()] = 0


class Articles(Projection[ArticleRow]):
    @on(key=lambda event: event.article)
    def counted(self, event: FineCreated, row: ArticleRow | None) -> ArticleRow:
        row = row or ArticleRow(article=event.article)
        return replace(row, fines=row.fines + 1)


class VehicleRow(ReadModel):
    vehicle_class: Annotated[VehicleClass, Key()]
    fines: int = 0


class Vehicles(Projection[VehicleRow]):
    @on(key=lambda event: event.vehicle_class)
    def counted(self, event: FineCreated, row: VehicleRow | None) -> VehicleRow:
        row = row or VehicleRow(vehicle_class=event.vehicle_class)
        return replace(row, fines=row.fines + 1)


class FineCounts(msgspec.Struct, frozen=True):
    """The counters: per year, per step, per article (the most frequent first) and per class of vehicle."""

    years: list[YearRow]
    steps: list[StepRow]
    articles: list[ArticleRow]
    vehicles: list[VehicleRow]


class CountFines(Query[FineCounts]):
    """The counters, with at most ``articles`` articles."""

    articles: int = 10


@answers
async def count_fines(
    query: CountFines,
    years: Reader[YearRow],
    steps: Reader[StepRow],
    articles: Reader[ArticleRow],
    vehicles: Reader[VehicleRow],
) -> FineCounts:
    return FineCounts(
        await years.all(),
        await steps.all(),
        await articles.sort("-fines,article").all(query.articles),
        await vehicles.all(),
    )
