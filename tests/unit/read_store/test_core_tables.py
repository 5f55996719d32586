"""Read models as tables of SQLAlchemy: what does not depend on the store."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Annotated

import pytest
import sqlalchemy as sa

from headwater.errors import InvalidFilter, MissingExtra
from headwater.read_models import Key, ReadModel
from headwater.read_store import Table, open_read_store


class Price(ReadModel):
    code: Annotated[str, Key()]
    amount: Decimal


PRICES = Table("Prices", 1, Price)


async def test_without_sqlalchemy_the_extra_is_named(tmp_path, monkeypatch):
    """What is missing is said, with the line that installs it; everything else goes on."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    monkeypatch.delitem(sys.modules, "headwater.read_store.core_tables", raising=False)
    async with open_read_store(f"sqlite:///{tmp_path}/rows.db") as store:
        await store.prepare([PRICES])
        with pytest.raises(MissingExtra, match=r"headwater\[sqlalchemy\]"):
            _ = store.reader(Price).table
        assert await store.reader(Price).count() == 0


async def test_a_decimal_out_of_reach_of_its_order_is_not_compared_as_text(tmp_path):
    """A column of a subquery that left the hidden one behind is refused, rather than compared wrongly."""
    async with open_read_store(f"sqlite:///{tmp_path}/rows.db") as store:
        await store.prepare([PRICES])
        reader = store.reader(Price)
        table = reader.table
        some = sa.select(table.c.amount).subquery()
        with pytest.raises(InvalidFilter, match="amount__order"):
            _ = some.c.amount > 1
        both = sa.select(table.c.amount, table.c.amount__order).subquery()
        assert await reader.select(sa.select(both.c.amount).where(both.c.amount > 1)) == []
