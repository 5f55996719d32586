"""Tables of rows in PostgreSQL's words. Reads: read_store/statements.py. Read next: row_reading.py, row_writing.py.

Texts are kept in the collation "C", which sorts by code point as every read store does. Many rows or keys are bound as
one array for each column, so that a statement serves any number of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import Any, TypeVar

import msgspec

from headwater.read_store.columns import Column, Stored
from headwater.read_store.figures import Summary
from headwater.read_store.filters import Alternatives, Condition, Requirement
from headwater.read_store.searching import Phrase, Search
from headwater.read_store.selection import Selection
from headwater.read_store.statements import Dialect, TableNames, indexes_of, quoted
from headwater.read_store.tables import RowKey, Table, Values

Asked = TypeVar("Asked", Selection, Summary)
_TYPES = {"integer": "bigint", "real": "double precision", "text": "text", "blob": "bytea"}
_COLLATED = ' COLLATE "C"'
_LONGEST_NAME = 63
_KEPT_OF_NAME = 50
_TAKEN = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_NUL = "\0"
_VECTOR = "search__vector"
_LETTERS = "ABCD"
_BY_LENGTH = 1
"""Of ``ts_rank``: what is found in a long text counts less."""
MOST_RANKED = 10_000
"""So many rows that a search finds are compared by how well they fit; of more, none is."""
_GAP = 8
_LAST_PLACE, _MOST_PLACES = 16_000, 255
_MOST_VECTOR_BYTES, _ENTRY_BYTES = 700_000, 16
"""What PostgreSQL takes: places up to 16,383 in a text, 256 of a word, 1 MB in all."""
_CUT = {"ge": "gt", "gt": "gt", "le": "le", "lt": "le"}


def shortened(name: str) -> str:
    """A name that PostgreSQL keeps as it is: not one of its own, and not longer than it remembers."""
    raw = name.encode()
    if len(raw) <= _LONGEST_NAME and name not in _TAKEN:
        return name
    kept = raw[:_KEPT_OF_NAME].decode(errors="ignore")
    return f"{kept}_{blake2b(raw, digest_size=4).hexdigest()}"


def _identifier(name: str) -> str:
    return quoted(shortened(name))


def _numbered(sql: str) -> str:
    """``$1``, ``$2`` … in place of each ``?``."""
    first, *others = sql.split("?")
    number = count(1)
    return first + "".join(f"${next(number)}{other}" for other in others)


POSTGRES = Dialect(
    contains="strpos(lower({}), ?) > 0",
    never="FALSE",
    no_limit=None,
    first=" NULLS FIRST",
    last=" NULLS LAST",
    identifier=_identifier,
    parameters=_numbered,
)


class TableSql(TableNames):
    """The statements of one table. ``put`` binds an array for each column, ``load`` and ``delete`` one for each key."""

    def __init__(self, table: Table, schema: str) -> None:
        super().__init__(table, POSTGRES, f"{quoted(schema)}.")
        self._schema = quoted(schema)
        stored = [(column.name, column) for column in table.columns]
        self.stored = stored + [(column.order_name, column) for column in table.columns if column.order is not None]
        self._letters = tuple(_LETTERS[table.weights.index(column.weight)] for column in table.searched)
        self.create = self._create()
        self.indexes = dict(self._indexes())
        self.drop = f"DROP TABLE IF EXISTS {self.name}"
        self.clear = f"DELETE FROM {self.name}"  # noqa: S608
        self.put = self._put()
        self.delete = self._delete()
        self.load = self._load()

    def _create(self) -> str:
        columns = ", ".join(_definition(name, column) for name, column in self.stored)
        columns += f", {_VECTOR} tsvector NOT NULL" if self.table.searched else ""
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"

    def _indexes(self) -> Iterator[tuple[str, str]]:
        """NULL is lowest in them, as in every order."""
        for plain, columns in indexes_of(self.table):
            name = shortened(plain)
            listed = (POSTGRES.ordered(each.order_name, descending=False, nullable=each.nullable) for each in columns)
            yield name, f"CREATE INDEX {quoted(name)} ON {self.name} ({', '.join(listed)})"
        if self.table.searched:
            name = shortened(f"ix_{self.table.name}_{_VECTOR}")
            yield name, f"CREATE INDEX {quoted(name)} ON {self.name} USING gin ({_VECTOR})"

    def dropping_index(self, name: str) -> str:
        """The statement that drops an index of this table."""
        return f"DROP INDEX {self._schema}.{quoted(name)}"

    def _put(self) -> str:
        names = [_identifier(name) for name, _ in self.stored]
        arrays = ", ".join(f"${number}::{_array(name, col)}" for number, (name, col) in enumerate(self.stored, 1))
        given, named = "*", ""
        if self.table.searched:
            arrays += f", ${len(names) + 1}::text[]"
            names.append(_VECTOR)
            numbered = ", ".join(f"c{number}" for number, _ in enumerate(names))
            given, named = f"{numbered}::tsvector", f" AS given ({numbered})"
        changed = [f"{name} = EXCLUDED.{name}" for name in names if name not in self.key]
        otherwise = f"UPDATE SET {', '.join(changed)}" if changed else "NOTHING"
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) SELECT {given} FROM unnest({arrays}){named}"  # noqa: S608
            f" ON CONFLICT ({', '.join(self.key)}) DO {otherwise}"
        )

    def _delete(self) -> str:
        if len(self.key) == 1:
            return f"DELETE FROM {self.name} WHERE {self.key[0]} = ANY($1)"  # noqa: S608
        return f"DELETE FROM {self.name} AS stored USING {self._wanted()}"  # noqa: S608

    def _load(self) -> str:
        if len(self.key) == 1:
            return f"SELECT {self.key[0]}, {self.columns} FROM {self.name} WHERE {self.key[0]} = ANY($1)"  # noqa: S608
        listed = ", ".join(f"stored.{_identifier(column.name)}" for column in self.table.columns)
        keys = ", ".join(f"stored.{key}" for key in self.key)
        return f"SELECT {keys}, {listed} FROM {self.name} AS stored, {self._wanted()}"  # noqa: S608

    def _wanted(self) -> str:
        """The given keys, joined to the rows that are ``stored``."""
        arrays = ", ".join(f"${n}::{_TYPES[key.kind]}[]" for n, key in enumerate(self.table.keys, 1))
        same = " AND ".join(f"stored.{key} = wanted.{key}" for key in self.key)
        return f"unnest({arrays}) AS wanted ({', '.join(self.key)}) WHERE {same}"

    def rows(self, puts: Sequence[Values]) -> Iterable[Sequence[Stored]]:
        """Rows as the arrays to bind; empty ones for no rows."""
        columns = list(map(list, zip(*puts, strict=True))) if puts else [list[Stored]() for _ in self.table.names]
        if not self.table.searched:
            return columns
        width = len(self.stored)
        vectors = [_vector(self._letters, texts) for texts in zip(*columns[width:], strict=True)]
        return [*columns[:width], vectors]

    def searched(self, search: Search, *, is_ranked: bool) -> tuple[str, list[Stored]]:
        """See ``TableNames.searched``."""
        alike = ", 0.0::float8 AS relevance" if is_ranked else ""
        if search.is_empty:
            return f"(SELECT *{alike} FROM {self.name} WHERE FALSE)", []  # noqa: S608
        wanted, found = _query(search), f"FROM {self.name} WHERE {_VECTOR} @@ ?::text::tsquery"
        if not is_ranked or search.is_common:
            return f"(SELECT *{alike} {found})", [wanted]
        largest = self.table.weights[0]
        weights = [weight / largest for weight in self.table.weights] + [0.0] * len(_LETTERS)
        listed = ", ".join(map(repr, reversed(weights[: len(_LETTERS)])))
        rank = f"ts_rank('{{{listed}}}'::float4[], {_VECTOR}, ?::text::tsquery, {_BY_LENGTH})::float8"
        return f"(SELECT *, {rank} AS relevance {found})", [wanted, wanted]

    def is_common(self, search: Search) -> tuple[str, list[Stored]]:
        """What says whether more rows have these words than are ranked; it looks at no more than these."""
        found = f"SELECT FROM {self.name} WHERE {_VECTOR} @@ $1::text::tsquery LIMIT $2 + 1"
        return f"SELECT count(*) > $2 FROM ({found}) AS found", [_query(search), MOST_RANKED]  # noqa: S608

    def key_values(self, key: RowKey) -> tuple[Stored, ...] | None:
        """A key as the values to bind, ``None`` for one that no row here has."""
        values: tuple[Stored, ...] = key if key.__class__ is tuple else (key,)
        return None if _has_nul(values) else values

    def keys(self, keys: Sequence[RowKey]) -> Iterable[Sequence[Stored]]:
        """Keys as the arrays to bind; those that cannot be stored here, because of a NUL, are no row's key."""
        known = [key for key in keys if not _has_nul(key)]
        if len(self.key) == 1:
            return (known,)
        return map(list, zip(*known, strict=True)) if known else [[] for _ in self.key]


def _query(search: Search) -> str:
    """A search as PostgreSQL takes it. Words are letters and digits only, so nothing in them means anything to it."""
    wanted, excluded = map(_match, search.wanted), (f"!{_match(phrase)}" for phrase in search.excluded)
    return " & ".join((*wanted, *excluded))


def _match(phrase: Phrase) -> str:
    words = " <-> ".join(f"'{word}'" for word in phrase.words)
    return f"({words}{':*' if phrase.is_prefix else ''})"


@lru_cache(maxsize=4_096)
def _vector(letters: tuple[str, ...], texts: tuple[str | None, ...]) -> str:
    """The words of a row as PostgreSQL keeps them, with their places, and letters for the weights of their fields.

    Between two fields there is a gap, so that no phrase is found across them.
    """
    places: dict[str, list[str]] = {}
    place = size = 0
    for letter, text in zip(letters, texts, strict=True):
        for word in text.split(" ") if text else ():
            place += 1
            size += 0 if word in places else len(word.encode()) + _ENTRY_BYTES
            if place > _LAST_PLACE or size > _MOST_VECTOR_BYTES:
                break
            places.setdefault(word, []).append(f"{place}{letter}")
        place += _GAP
    return " ".join(f"'{word}':{','.join(found[:_MOST_PLACES])}" for word, found in places.items())


def storable(selection: Asked) -> Asked:
    """A selection or summary of the same rows, without the character NUL, which no text here contains."""
    if not any(map(_mentions_nul, selection.conditions)):
        return selection
    return msgspec.structs.replace(selection, conditions=tuple(map(_without_nul, selection.conditions)))


def _mentions_nul(required: Requirement) -> bool:
    if isinstance(required, Alternatives):
        return any(map(_mentions_nul, (each for option in required.options for each in option)))
    return _has_nul(required.values)


def _without_nul(required: Requirement) -> Requirement:
    """What is greater than a text with NUL is greater than its part before, because nothing lies in between."""
    if isinstance(required, Alternatives):
        return Alternatives(tuple(tuple(map(_without_nul, option)) for option in required.options))
    if not _has_nul(required.values):
        return required
    if required.operator == "ne":
        return Alternatives(tuple((Condition(required.column, each),) for each in ("null", "not null")))
    cut: Any = _CUT.get(required.operator)
    if cut is None:
        return Condition(required.column, "in", tuple(value for value in required.values if not _has_nul(value)))
    bound = str(required.values[0])
    return Condition(required.column, cut, (bound.partition(_NUL)[0],))


def _has_nul(value: Any) -> bool:
    if value.__class__ is tuple:
        return any(map(_has_nul, value))
    return value.__class__ is str and _NUL in value


def _definition(name: str, column: Column) -> str:
    kind = _type(name, column)
    collation = _COLLATED if kind == "text" else ""
    return f"{_identifier(name)} {kind}{collation}{'' if column.nullable else ' NOT NULL'}"


def _array(name: str, column: Column) -> str:
    return f"{_type(name, column)}[]"


def _type(name: str, column: Column) -> str:
    """Nested data is JSON. What a field is only sorted by, is text."""
    if name != column.name:
        return "text"
    return "json" if column.is_json else _TYPES[column.kind]
