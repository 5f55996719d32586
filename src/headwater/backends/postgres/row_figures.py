"""Figures in PostgreSQL's words. Reads: read_store/report_statements.py. Read next: row_reading.py."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from headwater.read_store.figures import exact_sum
from headwater.read_store.report_statements import FigureWords

# Written out, a Decimal fits the server's type. With an exponent it may not: those are added here.
_IS_PLAIN = "strpos({0}, 'E') = 0 AND length({0}) < 1000"


def _monday(text: str) -> str:
    return f"to_char(date_trunc('week', ({text})::timestamp), 'YYYY-MM-DD')"


def _shifted(text: str, seconds: str) -> str:
    moved = f"({text})::timestamp + ({seconds}) * interval '1 second'"
    return f"to_char({moved}, 'YYYY-MM-DD\"T\"HH24:MI:SS')"


def _whole(raw: Sequence[Any]) -> int | None:
    return None if raw[0] is None else int(raw[0])


def _decimal(raw: Sequence[Any]) -> Decimal | None:
    plain, others = raw
    if plain is None and others is None:
        return None
    texts = [*([] if plain is None else [plain]), *(others or "").split()]
    return exact_sum(map(Decimal, texts))


FIGURES = FigureWords(
    shifted=_shifted,
    monday=_monday,
    whole_sum=(("sum({0})",), _whole),
    decimal_sum=(
        (
            f"sum(CASE WHEN {_IS_PLAIN} THEN {{0}}::numeric END)::text",
            f"string_agg(CASE WHEN {_IS_PLAIN} THEN NULL ELSE {{0}} END, ' ')",
        ),
        _decimal,
    ),
)
