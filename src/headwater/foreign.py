"""Field types that are not msgspec's own: pydantic models, if the application uses them.

Reads: declarations.py. Read next: codec.py. Pydantic is an extra of the application, never imported from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from headwater.declarations import is_pydantic


def encode_foreign(value: Any) -> Any:
    """A model as plain JSON values. Raises ``NotImplementedError`` for a type without a JSON form."""
    if is_pydantic(type(value)):
        return value.model_dump(mode="json", by_alias=True)
    msg = f"{type(value).__name__} has no JSON form"
    raise NotImplementedError(msg)


_CANONICAL = msgspec.json.Encoder(enc_hook=encode_foreign, order="deterministic")


def encode_canonical(value: Any) -> bytes:
    """A value as JSON in one fixed order, to be compared or digested. Raises as ``encode`` of the codec does."""
    try:
        return _CANONICAL.encode(value)
    except TypeError:  # it knows no order of keys that are no text
        return _CANONICAL.encode(msgspec.to_builtins(value, str_keys=True, enc_hook=encode_foreign))


def decode_foreign(cls: type, value: Any) -> Any:
    """A model from plain JSON values, validated by its own rules. Raises ``ValueError`` if they say no."""
    if is_pydantic(cls):
        model: Any = cls
        return value if isinstance(value, cls) else model.model_validate_json(msgspec.json.encode(value))
    msg = f"{cls.__name__} has no JSON form"
    raise NotImplementedError(msg)


def foreign_faults(cls: Any, value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a model finds wrong with plain JSON values: the path inside it, and the words."""
    try:
        decode_foreign(cls, value)
    except ValueError as error:
        model_error: Any = error
        if hasattr(error, "errors"):
            yield from ((fault["loc"], fault["msg"]) for fault in model_error.errors())


def foreign_schema(cls: type, ref_template: str, *, sent: bool = False) -> dict[str, Any]:
    """The JSON Schema of a model, as it is accepted or as it is sent.

    What it defines further is named ``Model.Part`` and stands under ``$defs``.
    """
    if not is_pydantic(cls):
        msg = f"{cls.__name__} has no JSON form"
        raise NotImplementedError(msg)
    model: Any = cls
    prefixed = ref_template.replace("{name}", f"{cls.__name__}.{{model}}")
    schema: dict[str, Any] = model.model_json_schema(
        ref_template=prefixed, mode="serialization" if sent else "validation"
    )
    if "$defs" in schema:
        schema["$defs"] = {f"{cls.__name__}.{name}": part for name, part in schema["$defs"].items()}
    return schema
