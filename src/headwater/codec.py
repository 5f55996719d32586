"""The only module that turns messages into bytes and back: JSON bodies, metadata, and the envelope around them.

Reads: catalogue.py, tags.py, validation.py, event_store/protocol.py. Read next: commands/executor.py.

The fast path is one compiled decoder per class. Only what it refuses goes to validation.py, which finds every fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from headwater.catalogue import Catalogue, Upcast
from headwater.declarations import may_lose_numbers
from headwater.errors import ContractError, FieldError, HandlerContractError, MessageError, UndecodableEvent
from headwater.event_store.protocol import NewEvent, RecordedEvent
from headwater.foreign import decode_foreign, encode_canonical, encode_foreign
from headwater.ids import uuid7
from headwater.messages import Command, Event, Message, Metadata, Query, Recorded, UnknownEvent, contract_of
from headwater.query_values import nested_values
from headwater.schemas import message_schema
from headwater.tags import Tags, tag_plan
from headwater.validation import explain_json, explain_numbers, explain_values

M = TypeVar("M", bound=Message)
Json = bytes | str

_BARE = b"{}"
_KEPT_METADATA = 1024
_FAULTY = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Codec:
    """Encodes and decodes the messages of one catalogue. Safe to share between threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._encoder = msgspec.json.Encoder(enc_hook=encode_foreign)
        self._metadata = msgspec.json.Decoder(Metadata)
        self._seen_metadata: dict[bytes, Metadata] = {}
        self._decoders: dict[type[Any], Callable[[Json], Any]] = {}
        self._encodings: dict[type[Event], _Encoding] = {}
        self._careful: dict[type[Event], _Encoding] = {}
        """Encodings of events that are looked at one by one, because they may hold NaN where ``None`` may stand."""
        self._validators: dict[type[Message], Callable[[Json], Any]] = {}
        self._stored: dict[tuple[str, int], Callable[[Json], Any]] = {}

    # -- events --------------------------------------------------------------------------------------------------------

    def encode_event(self, event: Event, metadata: bytes = _BARE, extra_tags: tuple[str, ...] = ()) -> NewEvent:
        """An event ready to append: name and version of its class, its body as JSON, its tags and ``extra_tags``.

        Raises ``HandlerContractError`` if its own class would refuse it, or if the application does not know that class
        and could not read the event.
        """
        return self.encode_and_read(event, metadata, extra_tags)[0]

    def encode_and_read(
        self, event: Event, metadata: bytes = _BARE, extra_tags: tuple[str, ...] = ()
    ) -> tuple[NewEvent, Event]:
        """The same, and the event as it will be read.

        The body is read back before it goes out, because what is stored stays. A tuple has become a list then, and what
        the event shared with a command or a state is its own. Raises the same.
        """
        encoding = self._encodings.get(type(event)) or self._encoding(event)
        try:
            data = self._encoder.encode(event)
            again: Event = encoding.decode(data)
            tags = encoding.tags(event)
        except (*_FAULTY, TypeError, NotImplementedError) as error:
            raise self._misfit(event, error) from error
        if extra_tags:
            tags += tuple([tag for tag in extra_tags if tag not in tags])
        return NewEvent(encoding.name, data, tags, uuid7(), encoding.version, metadata), again

    def decode(self, recorded: RecordedEvent) -> Event:
        """The event that was stored, lifted to today's version; an ``UnknownEvent`` if no class stands for it.

        Raises ``UndecodableEvent`` if it does not fit its class.
        """
        decode = self._stored.get((recorded.type, recorded.version))
        if decode is not None:
            try:
                event: Event = decode(recorded.data)
                return event
            except _FAULTY as error:
                raise self._unfit(recorded, error) from error
        return self._decode_other(recorded)

    def event_decoder(self, name: str, version: int) -> tuple[type[Event], Callable[[Json], Any]] | None:
        """The class of an event and what decodes its body, if it is stored as it would be today."""
        if not self.catalogue.knows_event(name):
            return None
        cls = self.catalogue.event_type(name)
        return (cls, self._decoders.get(cls) or self._decoder(cls)) if version == contract_of(cls).version else None

    def recorded(self, recorded: RecordedEvent) -> Recorded[Event]:
        """The event with its position, time and metadata. Raises ``UndecodableEvent``."""
        metadata = self.metadata_of(recorded)
        return Recorded(self.decode(recorded), recorded.position, cast("datetime", metadata.recorded_at), metadata)

    # -- metadata ------------------------------------------------------------------------------------------------------

    def encode_metadata(self, metadata: Metadata) -> bytes:
        """Metadata as JSON, without ``id`` and ``recorded_at``, which the envelope carries.

        It is read back before it goes out, as bodies are: an ``actor`` that is a number would be stored and never read
        again. Raises ``InvalidMessage``.
        """
        if metadata.id is not None or metadata.recorded_at is not None:
            metadata = msgspec.structs.replace(metadata, id=None, recorded_at=None)
        try:
            data = self._encoder.encode(metadata)
            self._metadata.decode(data)
        except (*_FAULTY, TypeError, NotImplementedError) as error:
            raise explain_values(Metadata, "metadata", msgspec.structs.asdict(metadata), error, strict=True) from error
        return data

    def metadata_of(self, recorded: RecordedEvent) -> Metadata:
        """An event's metadata with its ``id`` and ``recorded_at`` filled in. Raises ``UndecodableEvent``."""
        seen = self._seen_metadata.get(recorded.metadata) or self._read_metadata(recorded)
        return Metadata(
            id=recorded.id,
            recorded_at=recorded.recorded_at,
            actor=seen.actor,
            tenant=seen.tenant,
            correlation=seen.correlation,
            causation=seen.causation,
            command=seen.command,
            command_hash=seen.command_hash,
            extra=dict(seen.extra),
        )

    # -- commands and queries ------------------------------------------------------------------------------------------

    def decode_command(self, message: str | type[Command], body: Json | Mapping[str, Any]) -> Command:
        """A command from its name (any spelling) or class, and JSON text or plain values.

        Raises ``UnknownMessage``, ``MalformedMessage``, or ``InvalidMessage`` with every fault.
        """
        cls = self.catalogue.command_type(message) if isinstance(message, str) else message
        if type(body) is not bytes and isinstance(body, Mapping):
            return self._convert(cls, body, strict=True)
        return self._read(cls, body)

    def decode_query(self, message: str | type[Query[Any]], body: Json | Mapping[str, Any]) -> Query[Any]:
        """A query from its name or class, and JSON text or the parameters of a URL.

        Parameters may be text (``"20"`` is 20 where a number is asked for), ``page.size`` and ``page[size]`` go inside
        ``page``, and a list field takes one value or several. Raises what ``decode_command`` raises.
        """
        cls = self.catalogue.query_type(message) if isinstance(message, str) else message
        return self.decode_parameters(cls, body) if isinstance(body, Mapping) else self._read(cls, body)

    def decode_parameters(self, cls: type[M], values: Mapping[str, Any]) -> M:
        """A message from named values that may be text, as in a URL, a form or on a command line: see ``decode_query``.

        Raises ``InvalidMessage`` with every fault.
        """
        return self._convert(cls, nested_values(cls, values), strict=False)

    def validated(self, message: M) -> M:
        """A message made in Python, checked as if it had come over the wire: the same, read back.

        Raises ``InvalidMessage`` with every fault.
        """
        cls = type(message)
        decode = self._validators.get(cls) or self._validator(message)
        try:
            data = self._encoder.encode(message)
            valid: M = decode(data)
            return valid
        except (UnicodeEncodeError, TypeError, NotImplementedError) as error:  # it has no form in JSON
            raise explain_values(cls, contract_of(cls).name, _fields(message), error, strict=True) from error
        except _FAULTY as error:
            fault = explain_numbers(contract_of(cls).name, message)
            raise fault or explain_json(cls, contract_of(cls).name, self._encoder.encode(message), error) from error

    # -- anything ------------------------------------------------------------------------------------------------------

    def encode(self, value: Any) -> bytes:
        """A message, row or answer as JSON."""
        return self._encoder.encode(value)

    def decode_as(self, wanted: Any, body: Json) -> Any:
        """A value of that type from what ``encode`` made of it. Raises ``msgspec.MsgspecError``."""
        return (self._decoders.get(wanted) or self._decoder(wanted))(body)

    def encode_canonical(self, value: Any) -> bytes:
        """The same in one fixed order, for digests."""
        return encode_canonical(value)

    def json_schema(self, cls: type[Any]) -> dict[str, Any]:
        """The JSON Schema (2020-12) of a message, complete in itself."""
        return message_schema(cls)

    # -- in call order -------------------------------------------------------------------------------------------------

    def _read(self, cls: type[M], body: Json) -> M:
        try:
            message: M = (self._decoders.get(cls) or self._decoder(cls))(body)
            return message
        except _FAULTY as error:
            raise explain_json(cls, contract_of(cls).name, body, error) from error

    def _convert(self, cls: type[M], values: Mapping[str, Any], *, strict: bool) -> M:
        try:
            return msgspec.convert(values, cls, strict=strict, dec_hook=decode_foreign, str_keys=True)
        except _FAULTY as error:
            raise explain_values(cls, contract_of(cls).name, values, error, strict=strict) from error

    def _decoder(self, cls: type[Any]) -> Callable[[Json], Any]:
        decode = self._decoders[cls] = msgspec.json.Decoder(cls, dec_hook=decode_foreign).decode
        return decode

    def _validator(self, message: Message) -> Callable[[Json], Any]:
        """What reads a message of this class back. One that may lose numbers is looked at each time."""
        cls = type(_made(message))
        decode = self._decoders.get(cls) or self._decoder(cls)
        if not may_lose_numbers(cls):
            self._validators[cls] = decode
        elif (fault := explain_numbers(contract_of(cls).name, message)) is not None:
            raise fault
        return decode

    def _encoding(self, event: Event) -> _Encoding:
        """How an event of this class is encoded. One that may lose numbers is looked at each time."""
        cls = type(event)
        made = self._careful.get(cls) or self._new_encoding(cls)
        if not may_lose_numbers(cls):
            self._encodings[cls] = made
            return made
        self._careful[cls] = made
        if (fault := explain_numbers(made.name, event)) is not None:
            raise _refused(fault)
        return made

    def _new_encoding(self, cls: type[Event]) -> _Encoding:
        own = contract_of(cls)
        if not self.catalogue.knows_event(own.name) or self.catalogue.event_type(own.name) is not cls:
            raise HandlerContractError(
                f"an event was made that the application does not know: {cls.__module__}.{cls.__qualname__}",
                remedy="name its class where it is returned (`-> IncidentOpened`), or give it to App(...)",
            )
        return _Encoding(own.name, own.version, self._decoder(cls), tag_plan(cls))

    def _misfit(self, event: Event, error: BaseException) -> HandlerContractError:
        cls = type(event)
        name = contract_of(cls).name
        try:
            body = self._encoder.encode(event)
            fault = explain_numbers(name, event) or explain_json(cls, name, body, error)
        except (*_FAULTY, TypeError, NotImplementedError):  # a value without a JSON form
            fault = explain_values(cls, name, _fields(event), error, strict=True)
        return _refused(fault)

    def _decode_other(self, recorded: RecordedEvent) -> Event:
        """What is met for the first time, stored at an older version, or of a type nobody knows."""
        if not self.catalogue.knows_event(recorded.type):
            return UnknownEvent(name=recorded.type, version=recorded.version, data=recorded.data)
        cls = self.catalogue.event_type(recorded.type)
        if recorded.version == contract_of(cls).version:
            self._stored[recorded.type, recorded.version] = self._decoder(cls)
            return self.decode(recorded)
        steps = self.catalogue.steps(cls, recorded.version)
        if steps is None:
            raise _no_way(recorded, contract_of(cls).version)
        return self._upcast(cls, steps, recorded)

    def _upcast(self, cls: type[Event], steps: tuple[Upcast, ...], recorded: RecordedEvent) -> Event:
        try:
            values: Any = msgspec.json.decode(recorded.data)
        except _FAULTY as error:
            raise self._unfit(recorded, error) from error
        for step in steps:
            try:
                values = step(values)
            except Exception as error:
                raise _not_upcast(recorded, step, error) from error
        try:
            return msgspec.convert(values, cls, dec_hook=decode_foreign, str_keys=True)
        except _FAULTY as error:
            fault = explain_values(cls, recorded.type, values, error, strict=True)
            raise _undecodable(recorded, fault, "mend the upcaster, or the class") from error

    def _read_metadata(self, recorded: RecordedEvent) -> Metadata:
        try:
            metadata = self._metadata.decode(recorded.metadata)
        except _FAULTY as error:
            fault = explain_json(Metadata, "metadata", recorded.metadata, error)
            raise _undecodable(recorded, fault, "the event was appended by something else than Headwater") from error
        if len(self._seen_metadata) >= _KEPT_METADATA:
            self._seen_metadata.clear()
        self._seen_metadata[recorded.metadata] = metadata
        return metadata

    def _unfit(self, recorded: RecordedEvent, error: BaseException) -> UndecodableEvent:
        fault = explain_json(self.catalogue.event_type(recorded.type), recorded.type, recorded.data, error)
        return _undecodable(recorded, fault, "give the class a new version and an upcaster that makes the old body fit")


class _Encoding(msgspec.Struct, frozen=True):
    """How one event class is encoded."""

    name: str
    version: int
    decode: Callable[[Json], Any]
    tags: Tags


def _refused(fault: MessageError) -> HandlerContractError:
    return HandlerContractError(
        f"an event was made that its own class refuses: {fault.message}",
        remedy="give every field a value of its type",
        errors=getattr(fault, "errors", ()),
    )


def _made(message: Any) -> Message:
    """The message itself, if it is one. Raises ``ContractError``."""
    if not isinstance(message, Message):
        raise ContractError(f"{message!r} is not a message", remedy="give one that is made, as in OpenIncident(...)")
    return message


def _fields(message: Any) -> dict[str, Any]:
    """A message's own values by their names in JSON, as they are."""
    listed = msgspec.structs.fields(type(_made(message)))
    return {field.encode_name: getattr(message, field.name) for field in listed}


def _undecodable(recorded: RecordedEvent, fault: MessageError, remedy: str) -> UndecodableEvent:
    errors: tuple[FieldError, ...] = getattr(fault, "errors", ())
    return UndecodableEvent(
        f"{recorded.type} version {recorded.version} at position {recorded.position}: {fault.message}",
        remedy=remedy,
        position=recorded.position,
        type=recorded.type,
        version=recorded.version,
        pointer=errors[0].pointer if errors else "",
        errors=errors,
    )


def _not_upcast(recorded: RecordedEvent, step: Upcast, error: Exception) -> UndecodableEvent:
    where = getattr(step, "__qualname__", repr(step))
    fault = MessageError(f"the upcaster {where} failed: {error!r}")
    return _undecodable(recorded, fault, "mend the upcaster; the event itself stays as it is")


def _no_way(recorded: RecordedEvent, version: int) -> UndecodableEvent:
    if recorded.version > version:
        fault, remedy = "it was written by a newer release", "run the release that wrote it, or a later one"
    else:
        fault, remedy = f"nothing upcasts it to version {version}", "add the missing upcaster"
    return _undecodable(recorded, MessageError(fault), remedy)
