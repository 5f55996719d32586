"""From an event query to SQL. Reads: event_store/protocol.py. Read next: reading.py.

The text depends on the query's shape only (how many tags and types in how many items), so it is made once a shape and
stays prepared. Values are always bound: ``?1`` is ``after``, ``?2`` the limit, the items' values follow in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from headwater.event_store.bodies import VERSION_BITS
from headwater.event_store.protocol import EventQuery, QueryItem

_BODY = f"e.position, e.type << {VERSION_BITS} | e.version, e.data"
_EVENT = "e.position, e.type, e.version, e.data, e.tags, e.metadata, e.event_id, e.recorded_us"
_HEAD = "SELECT coalesce(max(position), 0), 0, NULL FROM events"
_NO_LIMIT = -1
_NO_TYPE = -1
_TERMS_PER_UNION = 100
_MERGED_TYPES = 4
_MASK_BITS = 63
_NOT_INDEXED = "position > max(?1, (SELECT position FROM indexed_up_to))"
"""The few events that the index by type does not have yet: see late_indexes.py."""

Shape: TypeAlias = tuple[tuple[int, int], ...]
"""For each item: how many values its types bind (1 for a bit mask, else minus their count), and how many tags."""


def plan(
    query: EventQuery,
    type_ids: Mapping[str, int],
    after: int,
    limit: int | None,
    *,
    backwards: bool = False,
) -> tuple[str, list[int | str]]:
    """The statement that reads the events of a query, and its bindings. Types without an id match nothing."""
    values: list[int | str] = [after, _NO_LIMIT if limit is None else limit]
    shape = _bind(query.items, type_ids, values)
    return _reading(shape, backwards, _EVENT), values


def bodies_plan(query: EventQuery, type_ids: Mapping[str, int], after: int, limit: int) -> tuple[str, list[int | str]]:
    """The same for position, form and data alone: see ``Bodies``. The first row is the log's head, without data."""
    values: list[int | str] = [after, limit]
    return _bodies(_bind(query.items, type_ids, values)), values


def without_head(bodies: str) -> str:
    """The statement of ``bodies_plan`` for who knows the head of its snapshot: the same rows but the first."""
    return bodies.removeprefix(f"{_HEAD} UNION ALL SELECT * FROM (").removesuffix(")")  # noqa: S608


def probe(items: Sequence[QueryItem], type_ids: Mapping[str, int], after: int) -> tuple[str, list[int | str]]:
    """The statement that finds the last position that one of the items matches, and its bindings."""
    values: list[int | str] = [after, 1]
    return _positions(_bind(items, type_ids, values), backwards=True), values


def _bind(items: Sequence[QueryItem], type_ids: Mapping[str, int], values: list[int | str]) -> Shape:
    shape: list[tuple[int, int]] = []
    for item in items:
        values += item.tags
        bound = 0
        if item.types:
            ids = [type_ids.get(name, _NO_TYPE) for name in item.types]
            if max(ids) < _MASK_BITS and (item.tags or len(ids) > _MERGED_TYPES):
                bound = 1
                values.append(sum({1 << known for known in ids if known >= 0}))
            else:
                bound = -len(ids)
                values += ids
        shape.append((bound, len(item.tags)))
    return tuple(shape)


@lru_cache(maxsize=256)
def _bodies(shape: Shape) -> str:
    """One statement for both sees one snapshot, and costs a quarter less than two."""
    return f"{_HEAD} UNION ALL SELECT * FROM ({_reading(shape, backwards=False, columns=_BODY)})"  # noqa: S608


@lru_cache(maxsize=256)
def _reading(shape: Shape, backwards: bool, columns: str) -> str:  # noqa: FBT001  a cache key
    order = "DESC" if backwards else "ASC"
    if not shape:
        return f"SELECT {columns} FROM events AS e WHERE e.position > ?1 ORDER BY e.position {order} LIMIT ?2"  # noqa: S608
    if len(shape) == 1 and shape[0][1]:
        tagged = _tagged(*shape[0], first=3)
        return " ".join(
            (
                f"SELECT {columns} FROM event_tags AS t CROSS JOIN events AS e ON e.position = t.position",  # noqa: S608
                f"WHERE {tagged} ORDER BY t.position {order} LIMIT ?2",
            )
        )
    return " ".join(
        (
            f"SELECT {columns} FROM ({_positions(shape, backwards)}) AS p",  # noqa: S608
            f"CROSS JOIN events AS e ON e.position = p.position ORDER BY p.position {order}",
        )
    )


@lru_cache(maxsize=256)
def _positions(shape: Shape, backwards: bool) -> str:  # noqa: FBT001  a cache key
    """Positions of the matching events, each once, in order: index scans are merged, so a limit ends them early.

    SQLite merges at most 500 scans, and more than a hundred slowly: beyond that, groups are merged and then sorted.
    """
    terms = list(_terms(shape))
    while len(terms) > _TERMS_PER_UNION:
        groups = [terms[start : start + _TERMS_PER_UNION] for start in range(0, len(terms), _TERMS_PER_UNION)]
        terms = [f"SELECT position FROM ({' UNION '.join(group)})" for group in groups]  # noqa: S608
    order = "DESC" if backwards else "ASC"
    return f"{' UNION '.join(terms)} ORDER BY position {order} LIMIT ?2"


def _terms(shape: Shape) -> Iterator[str]:
    first = 3
    for types, tags in shape:
        if tags:
            yield f"SELECT t.position AS position FROM event_tags AS t WHERE {_tagged(types, tags, first=first)}"  # noqa: S608
        elif types == 1:
            yield f"SELECT position FROM events WHERE position > ?1 AND (?{first} >> type) & 1"  # noqa: S608
        elif -types > _MERGED_TYPES:
            yield f"SELECT position FROM events WHERE position > ?1 AND +type IN ({_list(first, -types)})"  # noqa: S608
        else:
            for number in range(first, first - types):
                yield f"SELECT position FROM event_types WHERE type = ?{number} AND position > ?1"  # noqa: S608
            yield f"SELECT position FROM events WHERE {_NOT_INDEXED} AND type IN ({_list(first, -types)})"  # noqa: S608
        first += tags + abs(types)


def _tagged(types: int, tags: int, *, first: int) -> str:
    """The condition on ``t``, a row of ``event_tags``: one tag leads, the others and the types are looked up."""
    parts = [f"t.tag = (SELECT id FROM tags WHERE tag = ?{first}) AND t.position > ?1"]  # noqa: S608
    parts += [
        "EXISTS (SELECT 1 FROM event_tags AS other WHERE other.position = t.position"  # noqa: S608
        f" AND other.tag = (SELECT id FROM tags WHERE tag = ?{number}))"
        for number in range(first + 1, first + tags)
    ]
    if types == 1:
        parts.append(f"(?{first + tags} >> t.type) & 1")
    elif types:
        parts.append(f"t.type IN ({_list(first + tags, -types)})")
    return " AND ".join(parts)


def _list(first: int, count: int) -> str:
    return ", ".join(f"?{number}" for number in range(first, first + count))
