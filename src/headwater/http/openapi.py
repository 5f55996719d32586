"""The contract as OpenAPI 3.1: one path per command and query, schemas from the messages themselves.

Reads: schemas.py, responses.py, examples.py. Read next: pages.py. Source: the OpenAPI Specification 3.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from headwater.catalogue import Catalogue, spoken_name
from headwater.errors import FieldError
from headwater.http.examples import example_of
from headwater.http.listings import answers_of, describe
from headwater.http.responses import (
    ANSWER_HEADERS,
    BODY_ERRORS,
    COMMAND_ERRORS,
    HEADERS,
    QUERY_ERRORS,
    RECEIPT_HEADERS,
    UNCHANGED_HEADERS,
    problems,
    refer,
)
from headwater.limits import DEFAULT_LIMITS, Limits
from headwater.messages import Command, Message, Query, Receipt, contract_of
from headwater.queries.asking import answer_type_of, is_declared, needs_no_handler
from headwater.read_models import LARGEST_PAGE, PageRequest
from headwater.schemas import apart, schemas_of

Json = dict[str, Any]
_JSON = "application/json"
_REF = "#/components/schemas/{name}"


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """What every error looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str | None = None
    code: str | None = None
    errors: list[FieldError] | None = None
    fields: dict[str, Any] | None = None


_ALWAYS = (Receipt, ProblemDocument)


def openapi_document(title: str, catalogue: Catalogue, limits: Limits = DEFAULT_LIMITS) -> Json:
    """The whole document. ``title`` is the application's name; ``limits`` hold for queries without their own."""
    commands, queries = catalogue.commands, catalogue.queries
    schemas = _Schemas(commands.values(), queries.values(), limits)
    paths = {f"/commands/{spoken_name(name)}": {"post": _command(cls, schemas)} for name, cls in commands.items()}
    paths |= {f"/queries/{spoken_name(name)}": _query(cls, schemas) for name, cls in queries.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "description": "Commands change state, queries read it."},
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": schemas.components, "headers": HEADERS},
    }


class _Schemas:
    """The JSON Schemas of all messages and answers, computed together so that shared types stand once.

    What is accepted and what is answered differ: a field with a default need not be sent to us, and is always sent by
    us. A type that is in both, and differs, stands twice, the second time as ``NameAnswer``.
    """

    def __init__(self, commands: Iterable[type[Command]], queries: Iterable[type[Query[Any]]], limits: Limits) -> None:
        asked = list(queries)
        self._others = {cls: answers_of(cls) for cls in asked if is_declared(cls)}
        others = [other for each in self._others.values() for other in each]
        accepted: Sequence[Any] = [*commands, *asked]
        answered = list({repr(kind): kind for kind in (*map(answer_type_of, asked), *others, *_ALWAYS)}.values())
        found, self.components = schemas_of(accepted, ref_template=_REF)
        self._accepted: dict[type[Message], Json] = dict(zip(accepted, found, strict=True))
        found, named = apart(self.components, *schemas_of(answered, ref_template=_REF, sent=True), _REF)
        self._answered: dict[str, Json] = {repr(kind): each for kind, each in zip(answered, found, strict=True)}
        self.components |= named
        for cls in filter(needs_no_handler, asked):
            describe(cls, self.follow(self.of(cls)))
        for cls in asked:
            _bound_pages(cls, self.follow(self.of(cls)), (cls.__limits__ or limits).page_size)

    def of(self, message: type[Message]) -> Json:
        """The schema of a message, as a reference."""
        return self._accepted[message]

    def sent(self, answer: Any) -> Json:
        """The schema of what is answered, as a reference where it has a name."""
        return self._answered[repr(answer)]

    def answer_of(self, cls: type[Query[Any]]) -> Json:
        """The schema of what a query is answered."""
        own, others = self.sent(answer_type_of(cls)), self._others.get(cls, ())
        return {"anyOf": [own, *map(self.sent, others)]} if others else own

    def follow(self, schema: Json) -> Json:
        """A schema with its reference, if it is one, followed."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        named: Json = self.components[reference.rpartition("/")[2]]
        return named


def _bound_pages(cls: type[Query[Any]], schema: Json, most: int | None) -> None:
    """Write into the schema of a query how large its pages may be, where that is less than any page may be."""
    for field in msgspec.structs.fields(cls):
        if field.type is PageRequest and most is not None and most < LARGEST_PAGE:
            schema["properties"][field.encode_name] |= {"properties": {"size": {"maximum": most}}}


def _command(cls: type[Command], schemas: _Schemas) -> Json:
    return {
        **_described(cls, "commands"),
        "parameters": [
            _header("Idempotency-Key", "Repeating the command with the same key returns the first receipt.", _TOKEN),
            _header("If-Match", 'The position the caller last saw, as in "42", any of some, or *; else 412.', _TAGS),
            _header("If-None-Match", "There must be nothing yet. Not beside If-Match.", {"const": "*"}),
            _header("Correlation-Id", "Stands in the metadata of every event.", _TOKEN),
            _header("traceparent", "Its trace id is the correlation where there is no Correlation-Id."),
            _header("Prefer", "wait=5: answer once the read models include the change, else with 202."),
        ],
        "requestBody": _body(cls, schemas),
        "responses": {
            "200": _answer("The receipt: what the command did is durable.", schemas.sent(Receipt), RECEIPT_HEADERS),
            "202": _answer("Durable, but the read models are behind.", schemas.sent(Receipt), RECEIPT_HEADERS),
            **problems(schemas.sent(ProblemDocument), COMMAND_ERRORS),
        },
    }


def _query(cls: type[Query[Any]], schemas: _Schemas) -> Json:
    answer = _answer("The answer.", schemas.answer_of(cls), ANSWER_HEADERS)
    answer["content"]["text/event-stream"] = {"schema": _STREAM}
    unchanged = {"description": "Not changed.", "headers": refer(UNCHANGED_HEADERS)}
    document = schemas.sent(ProblemDocument)
    described = _described(cls, "queries")
    freshness = [
        _header("Headwater-Position", "The answer includes at least this position, such as a receipt's.", _POSITION),
        _header("Headwater-Max-Staleness", "How many seconds old the answer may be.", _SECONDS),
        _header("Headwater-As-Of", "The answer as it was: at a position, or at a time with its zone."),
        _header("Prefer", "wait=5: how many seconds to wait for it."),
        _header("Last-Event-ID", "Of a stream: the last event the reader has; only what is newer is sent.", _POSITION),
    ]
    return {
        "get": {
            **described,
            "parameters": [*_parameters(cls, schemas), *freshness, _header("If-None-Match", "An earlier ETag.")],
            "responses": {"200": answer, "304": unchanged} | problems(document, QUERY_ERRORS),
        },
        "post": {
            **described,
            "operationId": f"{described['operationId']}-with-body",
            "description": "The same with a body; also as the method QUERY.",
            "parameters": freshness,
            "requestBody": _body(cls, schemas),
            "responses": {"200": answer} | problems(document, (*QUERY_ERRORS, *BODY_ERRORS)),
        },
    }


def _parameters(cls: type[Query[Any]], schemas: _Schemas) -> Iterator[Json]:
    """A parameter for each field that a query string can say; those of a nested struct with a dot."""
    yield from _members(schemas.follow(schemas.of(cls)), "", schemas, needed=True)


def _members(schema: Json, prefix: str, schemas: _Schemas, *, needed: bool) -> Iterator[Json]:
    for name, member in schema.get("properties", {}).items():
        required = needed and name in schema.get("required", ())
        options = [schemas.follow(option) for option in (member, *member.get("anyOf", ()))]
        nested = next((option for option in options if "properties" in option), None)
        if nested is not None:
            filtered = member.get("x-headwater-filter")
            for inner in _members(_narrowed(nested, member), f"{prefix}{name}.", schemas, needed=required):
                if filtered is not None:  # a bound of a range
                    inner["schema"] |= {"x-headwater-filter": filtered | {"operator": inner["name"].rpartition(".")[2]}}
                yield inner
        elif not any(option.get("type") == "object" for option in options):
            yield {"name": f"{prefix}{name}", "in": "query", "required": required, "schema": dict(member)}


def _narrowed(schema: Json, by: Json) -> Json:
    """A shared schema with what stands beside the reference to it."""
    own = {name: member | by.get("properties", {}).get(name, {}) for name, member in schema["properties"].items()}
    return schema | {"properties": own}


def _described(cls: type[Any], tag: str) -> Json:
    first, _, rest = (cls.__doc__ or "").strip().partition("\n")
    name = contract_of(cls).name
    return {"operationId": spoken_name(name), "summary": first or name, "description": rest.strip(), "tags": [tag]}


def _body(cls: type[Any], schemas: _Schemas) -> Json:
    example = example_of(cls)
    content: Json = {"schema": schemas.of(cls)}
    if example is not None:
        content["example"] = example
    return {"required": True, "content": {_JSON: content}}


def _answer(description: str, schema: Json, headers: tuple[str, ...]) -> Json:
    return {"description": description, "headers": refer(headers), "content": {_JSON: {"schema": schema}}}


def _header(name: str, description: str, schema: Json | None = None) -> Json:
    told = schema or {"type": "string"}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": told}


_TOKEN: Json = {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"}
_TAG = '(W/)?"(0|[1-9][0-9]{0,17})"'
_TAGS: Json = {"type": "string", "pattern": f"^(\\*|{_TAG}(, *{_TAG})*)$"}
_POSITION: Json = {"type": "integer", "minimum": 0, "maximum": (1 << 63) - 1}
_SECONDS: Json = {"type": "number", "minimum": 0, "maximum": 999_999}
_STREAM: Json = {
    "type": "string",
    "description": "For `Accept: text/event-stream`: an event for each answer when it changed. `data` is the answer as "
    "JSON, `id` its position. An event `problem`, whose `data` is a problem document, ends the stream.",
}
"""Server-sent events (the HTML standard), for which JSON Schema has no words."""
