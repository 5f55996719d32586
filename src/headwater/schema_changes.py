"""How two JSON Schemas of one type differ: what fitted and may not fit now, and what fits now and did not.

Reads: plain.py. Read next: contracts.py, which says what a difference means for a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

import msgspec

from headwater.plain import Json, is_array, is_object, pointer

TAG = "x-headwater-tag"
_NOTHING: Json = {}
_LOWER = ("minLength", "minItems", "minProperties")
_UPPER = ("maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "multipleOf", "uniqueItems", "contentEncoding")
_REST = "additionalProperties"
_SHOWN = ("type", "format", "enum")


class Difference(msgspec.Struct, frozen=True):
    """One difference: where in the data (``*`` stands for every element), its kind, and what it is in words.

    ``narrower`` means that data which fitted before may not fit now, ``wider`` that what fits now may not have fitted.
    """

    pointer: str
    kind: str
    words: str
    narrower: bool = False
    wider: bool = False


class Schemas(msgspec.Struct, frozen=True):
    """The named schemas that references lead to, before and after."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


def differences(schemas: Schemas, before: Json, after: Json) -> tuple[Difference, ...]:
    """Every difference between two schemas, references followed."""
    return tuple(_Comparison(schemas).alternatives(before, after, ()))


class _Comparison:
    """One walk down two schemas side by side. A pair of references is followed once, so that trees end."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._followed: set[tuple[str, str]] = set()

    def alternatives(self, before: Json, after: Json, path: tuple[str, ...]) -> Iterator[Difference]:
        """Each alternative of the older type against its like in the newer one."""
        pair = before.get("$ref", ""), after.get("$ref", "")
        if all(pair):
            if pair in self._followed:
                return
            self._followed.add(pair)
        old, new = _options(_followed(before, self._schemas.before)), _options(_followed(after, self._schemas.after))
        if _NOTHING in new or _NOTHING in old:
            if _NOTHING not in new:
                yield _narrower(path, "type-changed", f"was anything and is {_all_shown(new)}")
            elif _NOTHING not in old:
                yield _wider(path, "may be anything")
            return
        likes = [self._like(option, old, new) for option in old]
        more = [option for index, option in enumerate(new) if index not in likes]
        for option, like in zip(old, likes, strict=True):
            if like is None:
                words = f"was {_shown(option)} and is {_all_shown(new)}"
                yield Difference(pointer(*path), "type-changed", words, narrower=True, wider=bool(more))
            else:
                yield from self._same_type(self._old(option), self._new(new[like]), path)
        if None not in likes:
            for option in more:
                yield _wider(path, f"may also be {_shown(self._new(option))}")

    def _like(self, option: Json, old: list[Json], new: list[Json]) -> int | None:
        """Which alternative takes an older one's place: the same schema, the same tag, or the only one of its kind."""
        if option in new:
            return new.index(option)
        before = self._old(option)
        kind = _kind(before)
        alike = [index for index, part in enumerate(new) if _kind(self._new(part)) == kind]
        same_tag = [index for index in alike if _constants(self._new(new[index])) == _constants(before)]
        is_only = len(alike) == sum(_kind(self._old(part)) == kind for part in old) == 1
        return next(iter(same_tag or (alike if is_only else [])), None)

    def _old(self, schema: Json) -> Json:
        return _followed(schema, self._schemas.before)

    def _new(self, schema: Json) -> Json:
        return _followed(schema, self._schemas.after)

    def _same_type(self, old: Json, new: Json, path: tuple[str, ...]) -> Iterator[Difference]:
        yield from _values(old, new, path)
        yield from _bounds(old, new, path)
        yield from self._parts(old, new, path)
        if "properties" in old or "properties" in new:
            yield from self._members(old, new, path)

    def _parts(self, old: Json, new: Json, path: tuple[str, ...]) -> Iterator[Difference]:
        """The elements of arrays and the values of mappings."""
        for word in ("items", "additionalProperties", "propertyNames"):
            before, after = _part(old, word), _part(new, word)
            if before is not False and after is not False:
                yield from self.alternatives(before, after, (*path, "*"))
        if _part(old, _REST) is not False and _part(new, _REST) is False:
            yield _narrower(path, "narrowed", "refuses unknown fields, which it ignored")
        rest = _part(old, "items"), _part(new, "items")
        places = zip_longest(old.get("prefixItems", ()), new.get("prefixItems", ()))
        for index, (before, after) in enumerate(places):
            pair = rest[0] if before is None else before, rest[1] if after is None else after
            if False not in pair:
                yield from self.alternatives(*pair, (*path, str(index)))

    def _members(self, old: Json, new: Json, path: tuple[str, ...]) -> Iterator[Difference]:
        before, after = old.get("properties", _NOTHING), new.get("properties", _NOTHING)
        was_needed, is_needed = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            inner = (*path, name)
            if name not in after:  # wider even if it was optional: who found it there finds nothing now
                yield Difference(pointer(*inner), "field-removed", "was removed", narrower=True, wider=True)
                continue
            yield from _tags(before[name], after[name], inner)
            yield from self.alternatives(_untagged(before[name]), _untagged(after[name]), inner)
            if name in is_needed - was_needed:
                yield _narrower(inner, "field-required", "was optional and is required")
            elif name in was_needed - is_needed:
                yield _wider(inner, "is no longer required")
        was_closed = _part(old, _REST) is False
        for name in after:
            if name not in before and name in is_needed:
                words = "is new and required"
                yield Difference(pointer(*path, name), "field-required", words, narrower=True, wider=was_closed)
            elif name not in before:
                yield Difference(pointer(*path, name), "field-added", "is new and optional", wider=was_closed)


def _followed(schema: Json, named: Mapping[str, Any]) -> Json:
    while "$ref" in schema:
        found: Json = named.get(schema["$ref"].rpartition("/")[2], {})
        schema = {**found, **{word: value for word, value in schema.items() if word != "$ref"}}
    return schema


def _options(schema: Json) -> list[Json]:
    """The alternatives of a type, unions in unions opened, ``null`` among the values of an enum taken for its own."""
    inner: list[Json] = schema.get("anyOf", [])
    if inner:
        return [option for part in inner for option in _options(part)]
    values: list[Any] = schema.get("enum", [])
    if None in values:
        return [{**schema, "enum": [value for value in values if value is not None]}, {"type": "null"}]
    return [schema]


def _part(schema: Json, word: str) -> Any:
    """What a schema says of its elements; nothing said means anything goes."""
    found = schema.get(word, _NOTHING)
    return _NOTHING if found is True else found


def _kind(schema: Json) -> tuple[str, str]:
    """What tells alternatives apart: the JSON type and format, or the type of an enum's values."""
    values: list[Any] = schema.get("enum", [])
    if values:
        return ("string" if isinstance(values[0], str) else "integer", "")
    return schema.get("type", ""), schema.get("format", "")


def _constants(schema: Json) -> dict[str, Any]:
    """The members of an object that can have one value only, as the tag of a struct in a union."""
    members: Json = schema.get("properties", _NOTHING)
    return {name: part["enum"] for name, part in members.items() if len(part.get("enum", ())) == 1}


def _values(old: Json, new: Json, path: tuple[str, ...]) -> Iterator[Difference]:
    """The allowed values of enums and literals."""
    before, after = old.get("enum"), new.get("enum")
    if after is not None:
        gone = [value for value in before if value not in after] if before is not None else ["other values"]
        if gone:
            yield _narrower(path, "narrowed", f"no longer allows {', '.join(map(repr, gone))}")
    added = [value for value in after if value not in before] if after and before else []
    if before is not None and (after is None or added):
        yield _wider(path, f"also allows {', '.join(map(repr, added)) or 'other values'}")


def _bounds(old: Json, new: Json, path: tuple[str, ...]) -> Iterator[Difference]:
    pairs = [(word, _limit(old, word), _limit(new, word), 1) for word in _LOWER]
    pairs += [(word, _limit(old, word), _limit(new, word), -1) for word in _UPPER]
    pairs += [("minimum", _numeric(old, "minimum", 1), _numeric(new, "minimum", 1), 1)]
    pairs += [("maximum", _numeric(old, "maximum", -1), _numeric(new, "maximum", -1), -1)]
    for word, before, after, sign in pairs:
        if before == after:
            continue
        if after is not None and (before is None or _tighter(after, before, sign)):
            yield _narrower(path, "narrowed", f"{word} is {_limit_shown(after)}, was {_limit_shown(before)}")
        else:
            yield _wider(path, f"{word} is {_limit_shown(after)}, was {_limit_shown(before)}")
    for word in _EXACT:
        before, after = old.get(word), new.get(word)
        if before != after and after is not None:
            words = f"{word} is {after!r}, was {before!r}"
            yield Difference(pointer(*path), "narrowed", words, narrower=True, wider=before is not None)
        elif before != after:
            yield _wider(path, f"{word} is no longer {before!r}")


Limit = tuple[float, bool]


def _limit(schema: Json, word: str) -> Limit | None:
    value = schema.get(word)
    return None if value is None else (value, False)


def _numeric(schema: Json, word: str, sign: int) -> Limit | None:
    """The tighter of an inclusive and an exclusive bound; the flag says exclusive."""
    names = (word, f"exclusive{word.capitalize()}")
    found = [(schema[name], name != word) for name in names if name in schema]
    return max(found, key=lambda limit: (sign * limit[0], limit[1]), default=None)


def _tighter(after: Limit, before: Limit, sign: int) -> bool:
    return (sign * after[0], after[1]) > (sign * before[0], before[1])


def _limit_shown(limit: Limit | None) -> str:
    return "open" if limit is None else f"{limit[0]}{' (exclusive)' if limit[1] else ''}"


def _tags(old: Json, new: Json, path: tuple[str, ...]) -> Iterator[Difference]:
    before, after = old.get(TAG), new.get(TAG)
    if before != after:
        words = f"had the tag {before!r} and has {after!r}" if before and after else ""
        words = words or (f"lost its tag {before!r}" if before else f"got the tag {after!r}")
        yield Difference(pointer(*path), "tag-changed", words)


def _untagged(schema: Json) -> Json:
    return {word: value for word, value in schema.items() if word != TAG}


def _shown(schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    told = [str(schema[word]) for word in _SHOWN if word in schema]
    return " ".join(told) or "anything"


def _all_shown(schemas: list[Json]) -> str:
    return " or ".join(map(_shown, schemas))


def _narrower(path: tuple[str, ...], kind: str, words: str) -> Difference:
    return Difference(pointer(*path), kind, words, narrower=True)


def _wider(path: tuple[str, ...], words: str) -> Difference:
    return Difference(pointer(*path), "widened", words, wider=True)


def cleaned(schema: Any) -> Any:
    """A schema without what does not bind anybody: titles, descriptions, examples, defaults."""
    if is_object(schema):
        kept = {word: value for word, value in schema.items() if word not in _COMMENTARY}
        names = {"properties": {name: cleaned(part) for name, part in kept.pop("properties", {}).items()}}
        told = {word: cleaned(value) for word, value in kept.items()}
        return told | (names if "properties" in schema else {})
    return [cleaned(part) for part in schema] if is_array(schema) else schema


_COMMENTARY = frozenset({"title", "description", "examples", "default", "discriminator"})
