"""What the figures must be: counted from the raw rows, by code that shares nothing with the application.

Over the whole log they equal the figures that were published with it, which a test checks; over its first rows they
are what a short replay must come to. Amounts are counted in cents.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
LOG = SHARED / "traffic_fines.csv.gz"
TRUTH = SHARED / "truth" / "traffic_fines.json"

Row = dict[str, str]


def published_figures() -> dict[str, Any]:
    """The figures of the whole log, as they were published with it."""
    figures: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))
    return figures


def expected_figures(limit: int | None = None) -> dict[str, Any]:
    """The figures of the first ``limit`` rows."""
    cases: defaultdict[str, list[Row]] = defaultdict(list)
    with gzip.open(LOG, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if number == limit:
                break
            cases[row["case"]].append(row)
    for case in cases.values():
        case.sort(key=lambda row: int(row["seq"]))
    counted = _Counted()
    for case in cases.values():
        counted.add(case)
    return counted.figures()


class _Counted:
    """Sums over cases."""

    def __init__(self) -> None:
        self.cases = self.longest = 0
        self.activities, self.last, self.variants = Counter[str](), Counter[str](), Counter[str]()
        self.cents, self.outcomes, self.surprises = Counter[str](), Counter[str](), Counter[str]()
        self.created, self.paid, self.collected = Counter[str](), Counter[str](), Counter[str]()
        self.articles, self.vehicles = Counter[str](), Counter[str]()

    def add(self, case: list[Row]) -> None:
        """Count one case, its rows in the order of ``seq``."""
        names = [row["activity"] for row in case]
        self.cases += 1
        self.longest = max(self.longest, len(case))
        self.activities.update(names)
        self.last[names[-1]] += 1
        self.variants[" > ".join(names)] += 1
        for row in case:
            self._count_in_its_year(row)
        self._count_money(case, names)
        self._count_surprises(case, names)

    def _count_in_its_year(self, row: Row) -> None:
        year = row["date"][:4]
        match row["activity"]:
            case "Create Fine":
                self.created[year] += 1
                self.articles[row["article"]] += 1
                self.vehicles[row["vehicle_class"]] += 1
            case "Payment":
                self.paid[year] += _cents(row["payment"])
            case "Send for Credit Collection":
                self.collected[year] += 1

    def _count_money(self, case: list[Row], names: list[str]) -> None:
        created = amount = expenses = paid = payments = 0
        for row in case:
            match row["activity"]:
                case "Create Fine":
                    created = amount = _cents(row["amount"])
                case "Add penalty":
                    amount = _cents(row["amount"])
                case "Send Fine":
                    expenses += _cents(row["expense"])
                case "Payment":
                    paid += _cents(row["payment"])
                    payments += 1
        open_cents = amount + expenses - paid
        dismissed = any(
            (row["activity"], row["dismissal"]) in {("Send Appeal to Prefecture", "#"), ("Appeal to Judge", "G")}
            for row in case
        )
        self.cents["created"] += created
        self.cents["raised_by_penalty"] += amount - created
        self.cents["expenses"] += expenses
        self.cents["paid"] += paid
        self.cents["outstanding"] += max(0, open_cents)
        self.cents["overpaid"] += max(0, -open_cents)
        collected = "Send for Credit Collection" in names
        self.outcomes["unpaid"] += paid == 0
        self.outcomes["sent for credit collection"] += collected
        self.outcomes["outstanding cents in collection"] += max(0, open_cents) * collected
        self.outcomes["penalised"] += "Add penalty" in names
        self.outcomes["part-paid"] += paid > 0 and open_cents > 0
        self.outcomes["paid in several payments"] += payments > 1
        self.outcomes["overpaid"] += open_cents < 0
        self.outcomes["settled exactly"] += paid > 0 and open_cents == 0
        self.outcomes["dismissed (# prefecture, G judge)"] += dismissed
        self.outcomes["appealed to both prefecture and judge"] += (
            "Appeal to Judge" in names and "Send Appeal to Prefecture" in names
        )

    def _count_surprises(self, case: list[Row], names: list[str]) -> None:
        paid = debt = 0
        is_sent = late = False
        for row in case:
            match row["activity"]:
                case "Create Fine":
                    debt = _cents(row["amount"])
                case "Send Fine":
                    debt += _cents(row["expense"])
                    is_sent = True
                case "Add penalty":
                    late = late or paid >= debt
                    debt = _cents(row["amount"])
                case "Payment":
                    paid += _cents(row["payment"])
                    self.surprises["payment before send"] += not is_sent
                    self.surprises["total_paid differs from running sum"] += paid != _cents(row["total_paid"])
                    self.surprises["zero payment"] += _cents(row["payment"]) == 0
        self.surprises["penalty after full payment"] += late
        self.surprises["cases with events after credit collection"] += "Send for Credit Collection" in names[:-1]

    def figures(self) -> dict[str, Any]:
        """All of them, under the names they were published with."""
        return {
            "cases": self.cases,
            "events": self.activities.total(),
            "events_per_activity": dict(self.activities),
            "last_activity": dict(self.last),
            "variants": len(self.variants),
            "longest_case": self.longest,
            "cents": dict(self.cents),
            "case_outcomes": dict(self.outcomes),
            "fines_created_per_year": dict(sorted(self.created.items())),
            "paid_cents_per_year": dict(sorted(self.paid.items())),
            "credit_collections_per_year": dict(sorted(self.collected.items())),
            "top_articles": _top(self.articles, 10),
            "vehicle_class": dict(self.vehicles),
            "surprises": dict(self.surprises),
            "top_variants": _top(self.variants, 5),
        }


def _cents(euro: str) -> int:
    return round(float(euro) * 100)


def _top(counter: Counter[str], most: int) -> list[list[str | int]]:
    return [[name, count] for name, count in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:most]]
