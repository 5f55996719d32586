"""The figures of the office, read from its read models through its queries. Reads: views.py.

None of them is counted from the file or from the log; ``expected.py`` counts the same ones from the raw rows.
"""

from __future__ import annotations

from typing import Any

from tests.fines.rows import ACTIVITY_OF
from tests.fines.views import CountFines, FineCounts, FineSummary, SummariseFines

from headwater import Runtime

_TOP_VARIANTS = 5


async def read_figures(office: Runtime) -> dict[str, Any]:
    """The figures under the names that they were published with."""
    return figures_of(await office.ask(SummariseFines()), await office.ask(CountFines()))


def figures_of(summary: FineSummary, counts: FineCounts) -> dict[str, Any]:
    """The figures that these answers hold."""
    variants = sorted((-cases, _variant(path)) for path, cases in summary.paths.items())
    return {
        "cases": summary.fines,
        "events": sum(row.times for row in counts.steps),
        "events_per_activity": {ACTIVITY_OF[row.step]: row.times for row in counts.steps},
        "last_activity": {ACTIVITY_OF[step]: fines for step, fines in summary.ends.items()},
        "variants": len(variants),
        "longest_case": summary.longest,
        "cents": summary.cents,
        "case_outcomes": summary.outcomes,
        "fines_created_per_year": {row.year: row.fines for row in counts.years if row.fines},
        "paid_cents_per_year": {row.year: row.paid for row in counts.years if row.paid},
        "credit_collections_per_year": {row.year: row.collections for row in counts.years if row.collections},
        "top_articles": [[row.article, row.fines] for row in counts.articles],
        "vehicle_class": {row.vehicle_class: row.fines for row in counts.vehicles},
        "surprises": {
            "payment before send": sum(row.paid_before_sending for row in counts.years),
            "penalty after full payment": sum(row.penalties_after_payment for row in counts.years),
            "total_paid differs from running sum": sum(row.differing_totals for row in counts.years),
            "zero payment": sum(row.empty_payments for row in counts.years),
            "cases with events after credit collection": summary.outlived_collection,
        },
        "top_variants": [[variant, -fewer] for fewer, variant in variants[:_TOP_VARIANTS]],
    }


def _variant(path: str) -> str:
    return " > ".join(ACTIVITY_OF[step] for step in path.split())
