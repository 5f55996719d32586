"""The contract lock: what messages looked like when they were frozen, and which changes since then break something.

Reads: schemas.py, schema_changes.py, catalogue.py, queries/asking.py. Read next: cli/verbs/contracts.py.

What counts: every event that may lie in a log must still be readable and be found by its tags, every command and query
that a caller may send must still be accepted, and who reads the answer to a query must still find what was agreed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from headwater.annotations import UNRESOLVED
from headwater.catalogue import Catalogue
from headwater.errors import ContractChanged, ContractError, UnknownMessage
from headwater.messages import Message, contract_of
from headwater.plain import Json
from headwater.queries.asking import answer_type_of
from headwater.schema_changes import Difference, Schemas, cleaned, differences
from headwater.schemas import schemas_of
from headwater.tags import tag_fields

_FORMAT = 1
_REF = "#/types/{name}"


class Change(msgspec.Struct, frozen=True):
    """One difference from the lock: which message, where in it, what kind, why it matters, and what to do.

    ``answer`` tells that it lies in what the query is answered, and not in the query.
    """

    message: str
    pointer: str
    kind: str
    breaking: bool
    reason: str
    remedy: str = ""
    answer: bool = False

    def __str__(self) -> str:
        place = f"{self.message}{' (answer)' if self.answer else ''}{self.pointer and ' '}{self.pointer}"
        return f"{place}: {self.reason}{self.remedy and '; '}{self.remedy}"


class LockedMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message in the lock file. The ``answer`` to a query is a schema; locks of earlier releases have none."""

    kind: str
    version: int
    aliases: list[str]
    tags: list[str]
    fields: dict[str, Json]
    required: list[str]
    answer: Json | None = None


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The lock file: messages by name, and the named types their fields refer to.

    Those of answers stand apart: what is sent may have more that is always there than what is accepted of one type.
    """

    format: int
    messages: dict[str, LockedMessage]
    types: Json
    answer_types: Json = {}


def freeze(catalogue: Catalogue) -> bytes:
    """The lock file of a catalogue: JSON that is the same for the same contracts, to be committed with the code."""
    text = msgspec.json.encode(_lock_of(catalogue), order="deterministic")
    return msgspec.json.format(text, indent=2) + b"\n"


def check(catalogue: Catalogue, lock: bytes) -> tuple[Change, ...]:
    """Every change since the lock file was written, compatible ones too, by message.

    Of a query whose answer is not in the lock, because an earlier release wrote it, that is told, and its answer is not
    compared.

    Raises ``ContractError`` for a file that is no lock file.
    """
    before, after = read_lock(lock), _lock_of(catalogue)
    changes = [change for name in sorted(before.messages) for change in _message(catalogue, before, after, name)]
    answered = {own for name in before.messages if (own := _name_today(catalogue, before, name)) is not None}
    fresh = sorted(set(after.messages) - answered)
    changes += [
        Change(name, "", "added", breaking=False, reason=f"is a new {after.messages[name].kind}") for name in fresh
    ]
    return tuple(changes)


def require_unchanged(catalogue: Catalogue, lock: bytes) -> tuple[Change, ...]:
    """The compatible changes since the lock file. Raises ``ContractChanged`` if any other is among them."""
    changes = check(catalogue, lock)
    breaking = tuple(str(change) for change in changes if change.breaking)
    if breaking:
        listed = "\n  - ".join((f"{len(breaking)} change(s) break what is stored or sent:", *breaking))
        raise ContractChanged(
            listed, remedy="mend them, or freeze again if nothing depends on the old contracts", changes=breaking
        )
    return changes


def read_lock(lock: bytes) -> Lock:
    """The lock file, decoded. Raises ``ContractError`` if it is none, or was written by a later release."""
    try:
        found = msgspec.json.decode(lock, type=Lock)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ContractError(
            f"this is no contract lock file: {error}", remedy="restore it, or remove it and freeze the contracts anew"
        ) from error
    if found.format != _FORMAT:
        raise ContractError(
            f"the contract lock file has format {found.format}, known is {_FORMAT}",
            remedy="use the release that wrote it, or freeze again",
        )
    return found


# -- what is frozen ----------------------------------------------------------------------------------------------------


def _lock_of(catalogue: Catalogue) -> Lock:
    groups: tuple[tuple[str, Mapping[str, type[Message]]], ...] = (
        ("command", cast("Mapping[str, type[Message]]", catalogue.commands)),
        ("query", cast("Mapping[str, type[Message]]", catalogue.queries)),
        ("event", cast("Mapping[str, type[Message]]", catalogue.events)),
    )
    kinds = {cls: kind for kind, messages in groups for cls in messages.values()}
    found, named = schemas_of(kinds, ref_template=_REF)
    own = {schema["$ref"].rpartition("/")[2] for schema in found}
    answers, answer_types = _answers_of(catalogue)
    messages = {
        contract_of(cls).name: _locked(cls, kind, named[schema["$ref"].rpartition("/")[2]], answers.get(cls))
        for (cls, kind), schema in zip(kinds.items(), found, strict=True)
    }
    referred = {name for name in own if f'"{_REF.format(name=name)}"'.encode() in msgspec.json.encode(named)}
    types = {name: cleaned(schema) for name, schema in named.items() if name not in own or name in referred}
    return Lock(format=_FORMAT, messages=messages, types=types, answer_types=answer_types)


def _answers_of(catalogue: Catalogue) -> tuple[dict[type[Message], Json], Json]:
    """The schema of each query's answer, and the named types that these refer to."""
    kinds = {cls: _with_form(answer_type_of(cls)) for cls in catalogue.queries.values()}
    found, named = schemas_of(kinds.values(), ref_template=_REF, sent=True)
    answers: Iterator[Json] = map(cleaned, found)
    return dict(zip(kinds, answers, strict=True)), {name: cleaned(schema) for name, schema in named.items()}


def _with_form(kind: Any) -> Any:
    """The type of an answer; ``Any`` for one without a JSON form, which is answered within the process only."""
    try:
        schemas_of([kind], ref_template=_REF)
    except (*UNRESOLVED, NotImplementedError):
        return Any
    return kind


def _locked(cls: type[Message], kind: str, schema: Json, answer: Json | None) -> LockedMessage:
    own, clean = contract_of(cls), cleaned(schema)
    return LockedMessage(
        kind=kind,
        version=own.version,
        aliases=sorted(own.aliases),
        tags=sorted({field.tag for field in tag_fields(cls)}),
        fields=clean["properties"],
        required=sorted(clean.get("required", ())),
        answer=answer,
    )


# -- what changed ------------------------------------------------------------------------------------------------------


def _message(catalogue: Catalogue, before: Lock, after: Lock, name: str) -> Iterator[Change]:
    """The changes of one locked message."""
    old = before.messages[name]
    today = _name_today(catalogue, before, name)
    if today is None:
        yield _gone(name, old.kind)
        return
    new = after.messages[today]
    if today != name:
        yield Change(
            name, "", "renamed", breaking=False, reason=f"is called {today} now and keeps its old name as alias"
        )
    for alias in old.aliases:
        if alias not in (today, *new.aliases):
            yield _gone(alias, old.kind)
    if old.kind == "event":
        yield from _event(catalogue, before, after, name, today)
    else:
        for difference in _between(before, after, old, new):
            if difference.kind != "tag-changed":
                yield _of_request(name, old.kind, difference)
    if new.answer is not None:
        yield from _answer(before, after, name, new.answer)


def _answer(before: Lock, after: Lock, name: str, answer: Json) -> Iterator[Change]:
    """The changes of what a query is answered: there, what is sent now has to fit what was agreed."""
    old = before.messages[name].answer
    if old is None:
        reason = "is not in the lock file, which an earlier release wrote, so that its changes are not seen"
        yield Change(name, "", "answer-unknown", breaking=False, reason=reason, remedy="freeze again", answer=True)
        return
    for difference in differences(Schemas(before.answer_types, after.answer_types), old, answer):
        if difference.kind != "tag-changed":
            yield _of_answer(name, difference)


def _name_today(catalogue: Catalogue, lock: Lock, name: str) -> str | None:
    """The canonical name of the message that answers to a locked name, if one of the same kind does."""
    find: Any = {"command": catalogue.command_type, "query": catalogue.query_type, "event": catalogue.event_type}
    try:
        own = contract_of(find[lock.messages[name].kind](name))
    except (UnknownMessage, KeyError):
        return None
    return own.name if name in (own.name, *own.aliases) else None


def _gone(name: str, kind: str) -> Change:
    reason = f"the {kind} is gone, and stored events keep its name" if kind == "event" else f"callers send this {kind}"
    remedy = f"keep the class, or name {name!r} among the aliases of the one that takes its place"
    return Change(name, "", "removed", breaking=True, reason=reason, remedy=remedy)


def _event(catalogue: Catalogue, before: Lock, after: Lock, name: str, today: str) -> Iterator[Change]:
    old, new = before.messages[name], after.messages[today]
    found = _between(before, after, old, new)
    if new.version < old.version:
        reason = f"version {old.version} became version {new.version}, so events stored since then cannot be read"
        yield Change(name, "", "version-lowered", breaking=True, reason=reason, remedy="versions only grow")
    elif new.version > old.version:
        yield _raised(catalogue, name, today, old.version, new.version)
        yield from _lost_tags(name, old, new)
    else:
        for difference in found:
            yield _of_event(name, new.version, difference)


def _raised(catalogue: Catalogue, name: str, today: str, old: int, new: int) -> Change:
    if catalogue.steps(catalogue.event_type(today), old) is not None:
        reason = f"went from version {old} to {new}, and upcasters lift what is stored"
        return Change(name, "", "version-raised", breaking=False, reason=reason)
    reason = f"went from version {old} to {new}, but nothing lifts stored events all the way"
    remedy = f"add a function marked @upcast({today!r}, from_version=...) for each version from {old} on"
    return Change(name, "", "version-raised", breaking=True, reason=reason, remedy=remedy)


def _lost_tags(name: str, old: LockedMessage, new: LockedMessage) -> Iterator[Change]:
    for tag in sorted(set(old.tags) - set(new.tags)):
        yield _tag_changed(name, "", f"lost the tag {tag!r}")


def _of_event(name: str, version: int, difference: Difference) -> Change:
    if difference.kind == "tag-changed":
        return _tag_changed(name, difference.pointer, difference.words)
    if not (difference.narrower or difference.kind == "field-removed"):
        return Change(name, difference.pointer, difference.kind, breaking=False, reason=difference.words)
    lift = f"@contract({name!r}, version={version + 1}) and a function marked @upcast({name!r}, from_version={version})"
    remedy = {
        "field-required": f"give it a default, or raise the version: {lift}",
        "field-removed": f"keep the field, or raise the version: {lift}",
    }.get(difference.kind, f"raise the version: {lift}")
    reason = f"{difference.words}, and stored events do not fit that"
    return Change(name, difference.pointer, difference.kind, breaking=True, reason=reason, remedy=remedy)


def _tag_changed(name: str, pointer: str, words: str) -> Change:
    reason = f"{words}, and stored events keep the tags they have, so boundaries would miss them"
    remedy = "keep the tag; mark a new optional field with the new one"
    return Change(name, pointer, "tag-changed", breaking=True, reason=reason, remedy=remedy)


def _of_request(name: str, kind: str, difference: Difference) -> Change:
    if not difference.narrower:
        return Change(name, difference.pointer, difference.kind, breaking=False, reason=difference.words)
    remedy = {
        "field-required": "give it a default",
        "field-removed": "keep the field with a default and ignore it",
    }.get(difference.kind, f"accept what was accepted, or make a new {kind} beside this one")
    reason = f"{difference.words}, and callers send what was agreed"
    return Change(name, difference.pointer, difference.kind, breaking=True, reason=reason, remedy=remedy)


def _of_answer(name: str, difference: Difference) -> Change:
    where, kind, words = difference.pointer, difference.kind, difference.words
    if not difference.wider:
        return Change(name, where, kind, breaking=False, reason=words, answer=True)
    reason = f"{words}, and who reads the answer counts on what was agreed"
    remedy = "keep the field" if kind == "field-removed" else "answer what was agreed"
    remedy += ", or make a new query beside this one"
    return Change(name, where, kind, breaking=True, reason=reason, remedy=remedy, answer=True)


def _between(before: Lock, after: Lock, old: LockedMessage, new: LockedMessage) -> tuple[Difference, ...]:
    return differences(Schemas(before.types, after.types), _as_schema(old), _as_schema(new))


def _as_schema(message: LockedMessage) -> Json:
    return {"type": "object", "properties": message.fields, "required": message.required}
