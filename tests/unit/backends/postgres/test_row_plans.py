from __future__ import annotations

from typing import Annotated

import pytest

from headwater.backends.postgres.row_plans import TableSql, shortened, storable
from headwater.read_models import Indexed, Key, ReadModel
from headwater.read_store import Contains, In, Prefix, Range, Table
from headwater.read_store.selection import Selection, conditions_for, order_of
from headwater.read_store.statements import selecting
from headwater.testing.conformance.read_samples import ARTICLES, SEATS


class Awkward(ReadModel):
    xmin: Annotated[str, Key()]
    Column_with_a_name_that_goes_on_for_longer_than_any_database_remembers: Annotated[int | None, Indexed()] = None


class Flag(ReadModel):
    name: Annotated[str, Key()]


def test_names_that_the_server_keeps_are_left_alone():
    """Up to its 63 bytes, whatever the alphabet."""
    assert shortened("state") == "state"
    assert shortened("x" * 63) == "x" * 63


@pytest.mark.parametrize("name", ["x" * 64, "\u00e4" * 32, "xmin", "ctid"])
def test_names_that_the_server_would_change_or_refuse_are_made_anew(name):
    """Told apart by a digest, so that two long ones with one beginning stay two."""
    assert shortened(name) != name
    assert shortened(name) != shortened(name + "_")
    assert len(shortened(name).encode()) <= 63


def test_one_array_a_column_stores_any_number_of_rows():
    """A row that is there already is replaced."""
    sql = TableSql(SEATS, "rows")
    assert sql.put == (
        'INSERT INTO "rows"."seats_v1" ("day", "number", "guest")'
        " SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])"
        ' ON CONFLICT ("day", "number") DO UPDATE SET "guest" = EXCLUDED."guest"'
    )
    assert list(sql.rows([("a", 1, None), ("b", 2, "x")])) == [["a", "b"], [1, 2], [None, "x"]]


def test_a_row_that_is_only_a_key_is_stored_once():
    """There is nothing to replace."""
    assert TableSql(Table("Flags", 1, Flag), "rows").put.endswith('ON CONFLICT ("name") DO NOTHING')


def test_indexes_sort_as_readers_do():
    """NULL is the lowest value, and the key decides between equals."""
    assert list(TableSql(ARTICLES, "rows").indexes.values()) == [
        'CREATE INDEX "ix_articles_v1_state" ON "rows"."articles_v1" ("state" ASC, "code" ASC)',
        'CREATE INDEX "ix_articles_v1_stock" ON "rows"."articles_v1" ("stock" ASC NULLS FIRST, "code" ASC)',
        'CREATE INDEX "ix_articles_v1_price" ON "rows"."articles_v1" ("price__order" ASC NULLS FIRST, "code" ASC)',
        'CREATE INDEX "ix_articles_v1_made_at" ON "rows"."articles_v1" ("made_at" ASC, "code" ASC)',
    ]


def test_awkward_names_are_the_same_in_every_statement():
    """Also where they are shortened."""
    sql = TableSql(Table("Awkward", 1, Awkward), "rows")
    for text in (sql.create, sql.put, sql.load, sql.get, *sql.indexes.values()):
        assert '"xmin"' not in text
        assert sql.key[0] in text


def test_values_are_numbered_in_the_order_of_their_bindings():
    """Conditions first, then the place, then the limit."""
    selection = Selection(
        table=ARTICLES,
        conditions=conditions_for(ARTICLES, {"stock": In([1, 2, 3]), "title": Contains("X")}),
        order=order_of(ARTICLES, "-stock"),
        after=(7, "c"),
    )
    sql, values = selecting(TableSql(ARTICLES, "rows"), selection)
    assert values == [1, 2, 3, 3, "x", 7, 7, "c", None]
    assert '"stock" IN ($1, $2, $3, $4) AND strpos(lower("title"), $5) > 0' in sql
    assert sql.endswith('ORDER BY "stock" DESC NULLS LAST, "code" DESC LIMIT $9')


@pytest.mark.parametrize(
    ("wanted", "operator", "values"),
    [
        ("a\0b", "in", ()),
        (Contains("\0"), "in", ()),
        (In(["a", "\0"]), "in", ("a",)),
        (Range(ge="a\0b"), "gt", ("a",)),
        (Range(gt="a\0b"), "gt", ("a",)),
        (Range(le="a\0b"), "le", ("a",)),
        (Range(lt="a\0b"), "le", ("a",)),
        (Prefix("a\0"), "gt", ("a",)),
    ],
)
def test_text_with_nul_is_compared_although_no_row_can_hold_it(wanted, operator, values):
    """What is greater than such a text is greater than its part before NUL, if nothing lies between the two."""
    conditions = conditions_for(ARTICLES, {"title": wanted})
    kept = storable(Selection(table=ARTICLES, conditions=conditions)).conditions[0]
    assert (kept.operator, kept.values) == (operator, values)


def test_keys_with_nul_are_nobodys():
    """They are left out, for keys of one field and of several."""
    assert list(TableSql(ARTICLES, "rows").keys(["a", "\0"])) == [["a"]]
    assert list(TableSql(SEATS, "rows").keys([("\0", 1)])) == [[], []]
    assert list(TableSql(SEATS, "rows").keys([("a", 1), ("\0", 1)])) == [["a"], [1]]
    assert TableSql(SEATS, "rows").key_values(("\0", 1)) is None
