"""Reports over four real logs give the figures that were published with them, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from types import new_class
from typing import Annotated

import pytest
from tests.truth.logs import (
    BANK,
    DESK,
    OFFICE,
    SHARED,
    SHOP,
    IncidentRow,
    LineRow,
    StepRow,
    Tally,
    WorkRow,
    applications,
    fill,
    incidents,
    lines,
    steps,
    truth_of,
)

from headwater.figure_marks import Count, Group, Sum
from headwater.read_store import IsNull
from headwater.reports import ReportRow

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not SHARED.exists(), reason="the logs do not lie beside this checkout"),
]


@pytest.fixture
def url(tmp_path):
    """A log in a file, read models beside it."""
    return f"sqlite:///{tmp_path}/log.db"


def by(model, field, unit=None, amount=None, form=str):
    """The class of a report: how many rows, and an amount, for each value or time of a field."""
    summed = Annotated[Decimal if model is LineRow else int, Sum(amount or _ANY[model])]
    hints = {"what": Annotated[form, Group(field, unit)], "times": Annotated[int, Count()], "amount": summed}
    return new_class("By", (ReportRow[model],), exec_body=lambda body: body.update(__annotations__=hints))


_ANY = {LineRow: "amount", IncidentRow: "modifications", WorkRow: "seq", StepRow: "payment"}


async def tallies(runtime):
    """The rows that a projection kept up."""
    return {row.what: row for row in await runtime.read_store.reader(Tally).all()}


def thousandths(amount):
    """Pounds as whole thousandths."""
    return int(amount * 1000)


async def test_the_shop(url):
    """Money in thousandths of a pound, by month, country, customer and kind."""
    truth = truth_of("online_retail")
    async with SHOP.open(url) as shop:
        assert await fill(shop, lines()) == truth["lines"]
        await shop.caught_up(timeout=600)
        rows = shop.read_store.reader(LineRow)
        months = await rows.report(by(LineRow, "at", "month"))
        assert {row.what: thousandths(row.amount) for row in months} == truth["net_per_month"]
        kept = await tallies(shop)
        assert {what: thousandths(row.amount) for what, row in kept.items()} == truth["net_per_month"]
        kinds = await rows.report(by(LineRow, "kind"))
        assert {row.what: row.times for row in kinds} == truth["lines_per_kind"]
        countries = await rows.report(by(LineRow, "country"), sort="-amount", limit=10)
        assert [[row.what, thousandths(row.amount)] for row in countries] == truth["top_countries_net"]
        known = rows.where(customer=IsNull(wanted=False))
        customers = await known.report(by(LineRow, "customer", form=str | None), sort="-amount", limit=10)
        assert [[row.what, thousandths(row.amount)] for row in customers] == truth["top_customers_net"]
        invoiced = await rows.where(kind="Invoice line").report(by(LineRow, "stock_code"), sort="-amount", limit=10)
        assert [[row.what, thousandths(row.amount)] for row in invoiced] == truth["top_products_invoiced"]

        class Whole(ReportRow[LineRow]):
            documents: Annotated[int, Count("document", distinct=True)]
            customers: Annotated[int, Count("customer", distinct=True)]
            products: Annotated[int, Count("stock_code", distinct=True)]
            units: Annotated[int, Sum("quantity")]
            net: Annotated[Decimal, Sum("amount")]

        (whole,) = await rows.report(Whole)
        counted = (whole.documents, whole.customers, whole.products, whole.units)
        assert counted == tuple(truth[each] for each in ("documents", "customers", "products", "net_units_total"))
        assert thousandths(whole.net) == truth["thousandths_of_pound"]["net"]


async def test_the_service_desk(url):
    """Incidents as they stand, and how often each state was saved."""
    truth = truth_of("incidents")
    async with DESK.open(url) as desk:
        assert await fill(desk, incidents()) == truth["events"]
        await desk.caught_up(timeout=600)
        rows = desk.read_store.reader(IncidentRow)
        assert await rows.count() == truth["cases"]
        months = await rows.report(by(IncidentRow, "opened_at", "month"))
        assert {row.what: row.times for row in months} == truth["opened_per_month"]
        for field, figures in (("state", "last_state"), ("priority", "last_priority")):
            assert {row.what: row.times for row in await rows.report(by(IncidentRow, field))} == truth[figures]
        reopened = await rows.report(by(IncidentRow, "reopened", form=int))
        assert {str(row.what): row.times for row in reopened} == truth["reopen_count_at_end"]
        groups = rows.where(group=IsNull(wanted=False))
        top = await groups.report(by(IncidentRow, "group", form=str | None), sort="-times", limit=10)
        assert [[row.what, row.times] for row in top] == truth["top_groups_at_end"]

        class Whole(ReportRow[IncidentRow]):
            reassignments: Annotated[int, Sum()]
            modifications: Annotated[int, Sum()]

        (whole,) = await rows.report(Whole)
        assert whole.reassignments == truth["figures"]["reassignments (sum of last values)"]
        assert whole.modifications == truth["figures"]["modifications (sum of last values)"]
        assert await rows.where(made_sla=False).count() == truth["figures"]["SLA missed"]
        assert {what: row.times for what, row in (await tallies(desk)).items()} == truth["rows_per_state"]


async def test_the_bank(url):
    """Events by activity, resource and day, amounts, submissions by month."""
    truth = truth_of("loan_applications")
    async with BANK.open(url) as bank:
        assert await fill(bank, applications()) == truth["events"]
        await bank.caught_up(timeout=600)
        rows = bank.read_store.reader(WorkRow)
        kept = await tallies(bank)
        assert {what: row.times for what, row in kept.items()} == truth["events_per_activity"]
        activities = await rows.report(by(WorkRow, "activity"))
        assert {row.what: row.times for row in activities} == truth["events_per_activity"]
        assert sum(row.amount for row in kept.values()) == truth["amount_requested_total"]
        submitted = await rows.where(activity="A_SUBMITTED").report(by(WorkRow, "at", "month"))
        assert {row.what: row.times for row in submitted} == truth["submitted_per_month_utc"]
        days = await rows.report(by(WorkRow, "at", "day"), sort="-times", limit=5)
        assert [[row.what, row.times] for row in days] == truth["busiest_utc_days"]
        known = rows.where(resource=IsNull(wanted=False))
        resources = await known.report(by(WorkRow, "resource", form=str | None), sort="-times,what")
        assert [[row.what, row.times] for row in resources[:10]] == truth["busiest_resources"]
        assert len(resources) == truth["distinct_resources"]

        class Lifecycle(ReportRow[WorkRow]):
            activity: Annotated[str, Group()]
            lifecycle: Annotated[str, Group()]
            times: Annotated[int, Count()]

        found = {f"{row.activity}/{row.lifecycle}": row.times for row in await rows.report(Lifecycle)}
        assert {key: count for key, count in found.items() if key[0] == "W"} == truth["work_item_lifecycle"]


async def test_the_fines_office(url):
    """Steps by kind, and cents by year."""
    truth = truth_of("traffic_fines")
    async with OFFICE.open(url) as office:
        assert await fill(office, steps()) == truth["events"]
        await office.caught_up(timeout=600)
        rows = office.read_store.reader(StepRow)
        activities = await rows.report(by(StepRow, "activity"))
        assert {row.what: row.times for row in activities} == truth["events_per_activity"]
        created = rows.where(activity="Create Fine")
        for activity, figures in (
            ("Create Fine", "fines_created_per_year"),
            ("Send for Credit Collection", "credit_collections_per_year"),
        ):
            years = await rows.where(activity=activity).report(by(StepRow, "on", "year"))
            assert {row.what: row.times for row in years} == truth[figures]
        paid = await rows.where(activity="Payment").report(by(StepRow, "on", "year"))
        assert {row.what: row.amount for row in paid} == truth["paid_cents_per_year"]
        kept = await tallies(office)
        assert {what: int(row.amount) for what, row in kept.items()} == truth["paid_cents_per_year"]
        (whole,) = await created.report(by(StepRow, "activity", amount="amount"))
        assert whole.amount == truth["cents"]["created"]
        articles = await created.report(by(StepRow, "article", form=str | None), sort="-times,what", limit=10)
        assert [[row.what, row.times] for row in articles] == truth["top_articles"]
        vehicles = await created.report(by(StepRow, "vehicle_class", form=str | None))
        assert {row.what: row.times for row in vehicles} == truth["vehicle_class"]
