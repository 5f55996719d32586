"""Every fault of a message at once, each with its JSON Pointer. Only a message that could not be decoded comes here.

Reads: annotations.py, foreign.py. Read next: codec.py. Sources: RFC 8259 (JSON), RFC 6901 (pointers).

The message is taken apart along its annotations. Each part is given to the very decoder that refused the whole, so this
slow path and the fast one cannot disagree; where a part fails but nothing in it does, the decoder's own words stand.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, Protocol

import msgspec
from msgspec import inspect as shape

from headwater.annotations import (
    UNRESOLVED,
    class_of,
    elements,
    has_members,
    is_collection,
    is_fixed_tuple,
    is_mapping,
    members,
    options,
    peel,
    values_of,
)
from headwater.declarations import is_pydantic
from headwater.errors import FieldError, InvalidMessage, MalformedMessage, MessageError
from headwater.foreign import decode_foreign, encode_foreign, foreign_faults
from headwater.plain import is_array, is_mapping_value, pointer

_MOST_FAULTS = 100
_DEEPEST = 32
_LONGEST_NAME = 60
_MOST_LISTED = 30
_PLACE = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_DECODING = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)


def explain_json(cls: Any, name: str, body: bytes | str, error: BaseException) -> MessageError:
    """Why the JSON text is no message of that class: ``MalformedMessage``, or ``InvalidMessage`` with every fault.

    ``error`` is what the decoder said; it stands for itself where no single part can be blamed.
    """
    try:
        text = body.encode(errors="surrogatepass") if isinstance(body, str) else bytes(body)
        text.decode()
        whole = msgspec.json.decode(text, type=msgspec.Raw)
    except UnicodeDecodeError as fault:
        return _malformed(name, f"it is not UTF-8 from byte {fault.start} on", fault.start)
    except RecursionError:
        return _malformed(name, "it is nested too deeply")
    except msgspec.MsgspecError as fault:
        return _malformed(name, str(fault), _offset(fault))
    return _invalid(cls, name, _Json(), whole, error)


def explain_values(cls: Any, name: str, values: Any, error: BaseException, *, strict: bool) -> MessageError:
    """The same for plain values (of a query string, or of a caller in Python)."""
    return _invalid(cls, name, _Values(strict=strict), values, error)


def explain_numbers(name: str, message: Any) -> InvalidMessage | None:
    """NaN and infinity in a message made in Python: JSON has no form for them, and says null in their place."""
    try:
        plain = msgspec.to_builtins(message, enc_hook=encode_foreign)
    except (NotImplementedError, *_DECODING):  # it has no form in JSON at all, which is told by who encodes it
        return None
    faults = [FieldError(pointer(*path), f"{number} is no number that can be stored") for path, number in _odd(plain)]
    return InvalidMessage(name, tuple(faults)) if faults else None


def _odd(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], float]]:
    if isinstance(value, float):
        if not isfinite(value):
            yield path, value
    elif is_mapping_value(value):
        for key, part in value.items():
            yield from _odd(part, (*path, str(key)))
    elif is_array(value):
        for index, part in enumerate(value):
            yield from _odd(part, (*path, index))


def _malformed(name: str, why: str, offset: int | None = None) -> MalformedMessage:
    return MalformedMessage(f"{name} cannot be read as JSON: {why}", name=name, offset=offset)


def _offset(error: Exception) -> int | None:
    """The byte where the JSON ends to be JSON, as far as the decoder tells."""
    found = re.search(r"\(byte (\d+)\)", str(error))
    return int(found[1]) if found else None


def _invalid(cls: Any, name: str, source: Source, value: Any, error: BaseException) -> MessageError:
    faults: list[FieldError] = []
    try:
        for fault in _Walk(source).faults(cls, value, ()):
            faults.append(fault)
            if len(faults) == _MOST_FAULTS:
                break
    except RecursionError:
        return _malformed(name, "it is nested too deeply")
    return InvalidMessage(name, tuple(faults) or (_own_words(error, ()),))


class Source(Protocol):
    """A way to take a message apart: JSON text, or plain values."""

    def fit(self, value: Any, hint: Any) -> Exception | None:
        """What the decoder says against the value as that type; ``None`` if it fits."""
        ...

    def entries(self, value: Any) -> Mapping[str, Any] | None:
        """The members of an object, or ``None`` if it is none."""
        ...

    def listed(self, value: Any) -> Sequence[Any] | None:
        """The elements of an array, or ``None`` if it is none."""
        ...

    def plain(self, value: Any) -> Any:
        """The value as plain Python values."""
        ...


class _Json:
    """JSON text, split no further than needed, so that every part keeps its own bytes."""

    def fit(self, value: Any, hint: Any) -> Exception | None:
        try:
            msgspec.json.decode(value, type=hint, dec_hook=decode_foreign)
        except _DECODING as error:
            return error
        return None

    def entries(self, value: Any) -> Mapping[str, Any] | None:
        found: dict[str, Any] | None = self._as(value, dict[str, msgspec.Raw])
        return found

    def listed(self, value: Any) -> Sequence[Any] | None:
        found: list[Any] | None = self._as(value, list[msgspec.Raw])
        return found

    def plain(self, value: Any) -> Any:
        return self._as(value, Any)

    def _as(self, value: Any, hint: Any) -> Any:
        try:
            return msgspec.json.decode(value, type=hint)
        except _DECODING:
            return None


class _Values:
    """Plain values; not ``strict`` means that text is read as the field's type, as in a query string."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict

    def fit(self, value: Any, hint: Any) -> Exception | None:
        try:
            msgspec.convert(value, hint, strict=self._strict, dec_hook=decode_foreign, str_keys=True)
        except _DECODING as error:
            return error
        return _unwritable(value)

    def entries(self, value: Any) -> Mapping[str, Any] | None:
        return {str(key): inner for key, inner in value.items()} if is_mapping_value(value) else None

    def listed(self, value: Any) -> Sequence[Any] | None:
        return value if is_array(value) else None

    def plain(self, value: Any) -> Any:
        return value


class _Walk:
    """Follows the annotations down a message that does not fit, and says where it does not."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def faults(self, hint: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[FieldError]:
        """Every fault below a value; none if it fits."""
        error = self._source.fit(value, hint)
        if error is None:
            return
        found = False
        for fault in self._inner(hint, value, path) if len(path) < _DEEPEST else ():
            found = True
            yield fault
        if not found:
            yield _own_words(error, path, _listed(hint))

    def _inner(self, hint: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[FieldError]:
        entries, listed = self._source.entries(value), self._source.listed(value)
        for option in self._candidates(hint, entries):
            if is_pydantic(class_of(option)):
                for inner, words in foreign_faults(class_of(option), self._source.plain(value)):
                    yield FieldError(pointer(*path, *inner), words)
                return
            if entries is not None and is_mapping(option):
                yield from self._mapping(option, entries, path)
                return
            if entries is not None and has_members(option):
                yield from self._members(option, entries, path)
                return
            if listed is not None and is_collection(option):
                yield from self._elements(option, listed, path)
                return

    def _candidates(self, hint: Any, entries: Mapping[str, Any] | None) -> Iterator[Any]:
        """The alternatives of a type, opened up; of tagged ones only those whose tag the value bears."""
        for option in options(hint):
            if len(options(option)) > 1:
                yield from self._candidates(option, entries)
                continue
            described = _described(option)
            tag: str | None = getattr(described, "tag_field", None)
            if tag is None or len(options(hint)) == 1 or self._says(entries, tag, described.tag):
                yield option

    def _says(self, entries: Mapping[str, Any] | None, name: str, wanted: object) -> bool:
        return entries is not None and name in entries and self._source.plain(entries[name]) == wanted

    def _mapping(self, hint: Any, entries: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[FieldError]:
        for part in elements(hint)[1:]:  # the annotation of the values, if there is one
            for key, value in entries.items():
                yield from self.faults(part, value, (*path, key))

    def _elements(self, hint: Any, listed: Sequence[Any], path: tuple[str | int, ...]) -> Iterator[FieldError]:
        inner = elements(hint)
        each = inner if is_fixed_tuple(hint) else [*inner[:1]] * len(listed)
        for index, (part, value) in enumerate(zip(each, listed, strict=False)):
            yield from self.faults(part, value, (*path, index))

    def _members(self, hint: Any, entries: Mapping[str, Any], path: tuple[str | int, ...]) -> Iterator[FieldError]:
        described = _described(hint)
        fields: tuple[Any, ...] = getattr(described, "fields", ())
        try:
            hints = dict(members(hint))
        except UNRESOLVED:
            return
        for field in fields:
            if field.encode_name in entries:
                yield from self.faults(hints[field.name], entries[field.encode_name], (*path, field.encode_name))
            elif field.required:
                yield FieldError(pointer(*path, field.encode_name), "is missing")
        if getattr(described, "forbid_unknown_fields", False):
            known = {field.encode_name for field in fields}
            for name in entries:
                if name not in known and name != getattr(described, "tag_field", None):
                    yield FieldError(
                        pointer(*path, name), f"is not a field of {class_of(hint).__name__}{_near(name, known)}"
                    )


def _unwritable(value: Any) -> Exception | None:
    """What keeps a value that fits its type out of JSON: half a surrogate pair, as in a file name of a command line."""
    try:
        msgspec.json.encode(value, enc_hook=str)
    except UnicodeEncodeError as error:
        return ValueError(f"Expected text, got half a surrogate pair at character {error.start}")
    except _DECODING:
        return None
    return None


def _described(hint: Any) -> Any:
    """A type's description by msgspec: its fields under the names they have in JSON."""
    return _described_class(peel(hint)[1]) if has_members(hint) else None


@lru_cache(maxsize=1_024)
def _described_class(bare: Any) -> Any:
    """Kept, because callers who are wrong once are wrong again, and reading annotations takes long."""
    try:
        return shape.type_info(bare)
    except (TypeError, ValueError, *UNRESOLVED):
        return None


def _near(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name[:_LONGEST_NAME], known, n=1)
    listed = f"there are: {', '.join(sorted(known))}" if known else "it has none"
    return f"; did you mean {close[0]}? {listed}" if close else f"; {listed}"


def _listed(hint: Any) -> str:
    """The values that there are, where these are few enough to list."""
    values = [str(value) for option in options(hint) for value in values_of(option)]
    return f"; there are: {', '.join(values)}" if 0 < len(values) <= _MOST_LISTED else ""


def _own_words(error: BaseException, path: tuple[str | int, ...], listed: str = "") -> FieldError:
    """The decoder's own words, and the place it names."""
    words, place = str(error) or type(error).__name__, _PLACE.search(str(error))
    steps: list[str | int] = []
    if place is not None:
        words = words[: place.start()] + (" as a key" if place["key"] else "")
        steps = [name or int(index) for name, index in _STEP.findall(place["path"])]
    return FieldError(pointer(*path, *steps), words.replace("`", "") + listed)
