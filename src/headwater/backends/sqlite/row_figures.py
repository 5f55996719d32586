"""Figures in SQLite's words. Reads: read_store/report_statements.py. Read next: row_reading.py."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import apsw

from headwater.backends.sqlite.driver import Connection, Value
from headwater.errors import QueryError
from headwater.read_store.figures import exactly_added
from headwater.read_store.report_statements import FigureWords

_HALF = 32
_LOW = (1 << _HALF) - 1


class _DecimalSum:
    """``decimal_sum(text)``: an exact sum of Decimals as they are stored, ``NULL`` for none."""

    __slots__ = ("_total",)

    def __init__(self) -> None:
        self._total: Decimal | None = None

    def step(self, value: Value) -> None:
        """Take in a row."""
        if value is None:
            return
        try:
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise QueryError(f"decimal_sum() adds Decimals, not {value!r}") from error
        self._total = exactly_added(Decimal(0) if self._total is None else self._total, number)

    def final(self) -> Value:
        """The sum as it would be stored."""
        return None if self._total is None else str(self._total)


def add_functions(connection: Connection) -> None:
    """Let a connection's statements sum Decimals, which SQLite cannot do by itself."""
    connection.create_aggregate_function("decimal_sum", _DecimalSum, 1, flags=apsw.SQLITE_DETERMINISTIC)


def _monday(text: str) -> str:
    return f"date({text}, '-6 days', 'weekday 1')"


def _shifted(text: str, seconds: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%S', {text}, ({seconds}) || ' seconds')"


def _halves(raw: Sequence[Any]) -> int | None:
    """SQLite's own sum of whole numbers fails beyond 64 bits; those of the halves cannot."""
    return None if raw[0] is None else (raw[0] << _HALF) + raw[1]


def _decimal(raw: Sequence[Any]) -> Decimal | None:
    return None if raw[0] is None else Decimal(raw[0])


FIGURES = FigureWords(
    shifted=_shifted,
    monday=_monday,
    whole_sum=((f"sum({{0}} >> {_HALF})", f"sum({{0}} & {_LOW})"), _halves),
    decimal_sum=(("decimal_sum({0})",), _decimal),
)
