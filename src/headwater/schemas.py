"""JSON Schema (draft 2020-12) of every message: for OpenAPI, for the contract lock, for whoever asks.

Reads: annotations.py, catalogue.py, tags.py. Read next: contracts.py. Docstrings are the descriptions; a field with a
tag carries it as ``x-headwater-tag``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, time
from typing import Any, get_args, is_typeddict

import msgspec
from msgspec import inspect as shape

from headwater.annotations import (
    UNRESOLVED,
    class_of,
    elements,
    has_members,
    is_collection,
    is_mapping,
    members,
    options,
    peel,
)
from headwater.catalogue import Catalogue
from headwater.declarations import is_pydantic
from headwater.foreign import foreign_schema
from headwater.plain import Json, is_array, is_object
from headwater.tags import tag_fields

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOMENTS = {datetime: "date-time", time: "time"}
_LOCAL = "#/$defs/{name}"


def message_schema(cls: type[Any]) -> Json:
    """The schema of one type, complete in itself: what it refers to stands under ``$defs``.

    >>> class Reading(msgspec.Struct):
    ...     celsius: float
    >>> message_schema(Reading)["properties"]
    {'celsius': {'type': 'number'}}
    """
    (schema,), definitions = schemas_of([cls], ref_template=_LOCAL)
    name = schema.get("$ref", "").rpartition("/")[2]
    if name and not _refers_to(definitions, schema["$ref"]):
        schema = definitions.pop(name)
    told = {"$schema": _DIALECT, **schema}
    return {**told, "$defs": definitions} if definitions else told


def components(catalogue: Catalogue, ref_template: str = "#/components/schemas/{name}") -> Json:
    """The schemas of all messages of a catalogue, and of what they refer to, by name, sorted."""
    messages = [*catalogue.commands.values(), *catalogue.queries.values(), *catalogue.events.values()]
    return dict(sorted(schemas_of(messages, ref_template=ref_template)[1].items()))


def schemas_of(types: Iterable[Any], *, ref_template: str, sent: bool = False) -> tuple[list[Json], Json]:
    """A schema per type, in order (a reference where it has a name), and the named ones, computed together.

    ``sent`` describes what is encoded, not what is accepted: there, a field with a default is always present.
    Raises ``TypeError`` or ``NotImplementedError`` for a type without a JSON form.
    """
    wanted = list(types)
    reached = list(_reached(wanted))

    def hook(cls: type) -> Json:
        return foreign_schema(cls, ref_template, sent=sent)

    found, named = msgspec.json.schema_components([*wanted, *reached], schema_hook=hook, ref_template=ref_template)
    for cls, schema in zip(reached, found[len(wanted) :], strict=True):
        own = named[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        _mark_tags(cls, own)
        _mark_moments(cls, own)
        if sent and "properties" in own:
            own["required"] = sorted({*own.get("required", ()), *_always_sent(cls)})
    for schema in list(named.values()):
        named.update(_lifted(schema))
    return list(found[: len(wanted)]), named


def apart(taken: Json, found: list[Json], named: Json, ref_template: str) -> tuple[list[Json], Json]:
    """Schemas ``found`` and those they refer to, beside others: what differs from a namesake becomes ``NameAnswer``."""
    changed = {name for name, schema in named.items() if name in taken and taken[name] != schema}
    while more := {
        name
        for name, schema in named.items()
        if name in taken and name not in changed
        if any(_refers_to(schema, ref_template.format(name=other)) for other in changed)
    }:
        changed |= more
    names = {name: _free(f"{name}Answer", {*taken, *named}) for name in changed}
    references = {ref_template.format(name=old): ref_template.format(name=new) for old, new in names.items()}
    return (
        [_redirected(schema, references) for schema in found],
        {names.get(name, name): _redirected(schema, references) for name, schema in named.items()},
    )


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _redirected(part: Any, references: Mapping[str, str]) -> Any:
    if is_object(part):
        return {
            key: references.get(inner, inner) if key == "$ref" else _redirected(inner, references)
            for key, inner in part.items()
        }
    return [_redirected(inner, references) for inner in part] if is_array(part) else part


def _mark_tags(cls: Any, schema: Json) -> None:
    """Write the tags of a class's fields into its schema."""
    names = {field.name: field.encode_name for field in _fields(cls)}
    for field in tag_fields(cls):
        told = schema.get("properties", {}).get(names.get(field.field, field.field))
        if told is not None:
            before = told.get("x-headwater-tag")
            told["x-headwater-tag"] = field.tag if before is None else f"{before},{field.tag}"


def _mark_moments(cls: Any, schema: Json) -> None:
    """Say of each ``datetime`` and ``time`` what it is: msgspec says only ``string`` where it need not have a zone."""
    names = {field.name: field.encode_name for field in _fields(cls)}
    for name, hint in members(cls):
        told = schema.get("properties", {}).get(names.get(name, name))
        if told is not None:
            _mark_moment(hint, told)


def _mark_moment(hint: Any, schema: Json) -> None:
    marks, bare = peel(hint)
    form = _MOMENTS.get(bare)
    if any(getattr(mark, "tz", None) is False for mark in marks):
        return  # RFC 3339 knows no time without a zone
    if form is not None and schema.get("type") == "string":
        schema.setdefault("format", form)
    elif "anyOf" in schema:  # a union holds at most one type that is text in JSON, so the order does not matter
        for option in options(hint):
            for part in schema["anyOf"]:
                _mark_moment(option, part)
    elif is_collection(hint) or is_mapping(hint):
        parts = [*schema.get("prefixItems", ()), schema.get("items"), schema.get("additionalProperties")]
        inner = elements(hint)[-1:] if is_mapping(hint) else elements(hint)
        for element, part in zip(inner, filter(is_object, parts), strict=False):
            _mark_moment(element, part)


def _always_sent(cls: Any) -> Iterator[str]:
    """The fields that are there in every encoded value, by their names in JSON."""
    found = class_of(cls)
    if is_typeddict(found):
        return  # its schema says already which keys may be missing
    settings = getattr(found, "__struct_config__", None)
    for field, (_, hint) in zip(_fields(cls), members(cls), strict=True):
        may_be_omitted = settings is not None and settings.omit_defaults and not field.required
        if not may_be_omitted and msgspec.UnsetType not in get_args(peel(hint)[1]):
            yield field.encode_name


def _fields(cls: Any) -> tuple[Any, ...]:
    return getattr(shape.type_info(cls), "fields", ())


def _lifted(schema: Any) -> Json:
    """Take the ``$defs`` of pydantic models out of a schema, to stand with the other named ones."""
    found: Json = {}
    parts: Iterable[Any] = schema if is_array(schema) else ()
    if is_object(schema):
        found.update(schema.pop("$defs", {}))
        parts = [*schema.values(), *found.values()]
    for part in parts:
        found.update(_lifted(part))
    return found


def _refers_to(part: Any, reference: str) -> bool:
    if is_object(part):
        return part.get("$ref") == reference or any(_refers_to(inner, reference) for inner in part.values())
    return is_array(part) and any(_refers_to(inner, reference) for inner in part)


def _reached(hints: Iterable[Any]) -> Iterator[Any]:
    """The classes with members that types are made of, each once, the types themselves first."""
    waiting, seen = list(hints), set[Any]()
    while waiting:
        hint = waiting.pop(0)
        bare = peel(hint)[1]
        if options(bare) != (bare,):
            waiting.extend(options(bare))
        elif has_members(bare) and not is_pydantic(class_of(bare)):
            if bare not in seen:
                seen.add(bare)
                yield bare
                waiting.extend(_member_hints(bare))
        else:
            waiting.extend(part for part in elements(bare) if not isinstance(part, str | int | bytes | None))


def _member_hints(bare: Any) -> list[Any]:
    try:
        return [hint for _, hint in members(bare)]
    except UNRESOLVED:
        return []
