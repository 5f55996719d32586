"""What an annotation says: its marks, its alternatives, its elements, the members of its class.

Reads: nothing. Read next: tags.py.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Literal, NotRequired, Required, Union, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

UNRESOLVED = (NameError, TypeError, AttributeError, SyntaxError)
"""What reading annotations raises when a name in them does not exist, or not at module level."""

_MARKING = ("headwater", "msgspec")


def unresolved(error: Exception) -> str:
    """What is wrong with a class or function whose annotations cannot be read, and what to do about it."""
    remedy = (
        "; define or import what it names at module level, and not under TYPE_CHECKING"
        if isinstance(error, NameError)
        else ""
    )
    return f"its annotations cannot be resolved ({error}){remedy}"


def peel(hint: Any) -> tuple[tuple[Any, ...], Any]:
    """The marks on an annotation itself (``Annotated`` metadata) and the bare type under them.

    >>> peel(Annotated[int, "a mark"])
    (('a mark',), <class 'int'>)
    """
    marks: tuple[Any, ...] = ()
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *outer = get_args(hint)
            marks = (*outer, *marks)
        elif origin in (Required, NotRequired, Final):
            (hint,) = get_args(hint)
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":  # `type X = ...`, from Python 3.12 on
            hint = hint.__value__
        else:
            return marks, hint


def field_faults(field: FieldInfo) -> Iterator[str]:
    """What is wrong with a field whatever class it is of: marks that nothing would heed, a default that is no value."""
    yield from _unmade_marks(field.type)
    if field.default is None and not _allows_none(field.type):
        yield f"its default is None, which {name_of(field.type)} does not allow; write {name_of(field.type)} | None"


def _unmade_marks(hint: Any) -> Iterator[str]:
    """Marks that stand as classes, as in ``Annotated[str, Tag]``."""
    marks, bare = peel(hint)
    for mark in marks:
        if isinstance(mark, type) and mark.__module__.partition(".")[0] in _MARKING:
            yield f"{mark.__name__} stands without parentheses; write {mark.__name__}(...)"
    for option in options(bare):
        if option is not bare:
            yield from _unmade_marks(option)


def _allows_none(hint: Any) -> bool:
    try:
        msgspec.convert(None, hint)
    except msgspec.ValidationError:
        return False
    except (TypeError, NotImplementedError):  # msgspec does not know the type, which may allow it
        return True
    return True


def values_of(hint: Any) -> tuple[Any, ...]:
    """The values of a ``Literal`` or an ``Enum``, as they stand in JSON; empty for any other type.

    >>> values_of(Literal["open", "closed"])
    ('open', 'closed')
    """
    bare = peel(hint)[1]
    if get_origin(bare) is Literal:
        return tuple(value for value in get_args(bare) if value is not None)
    return tuple(member.value for member in bare) if isinstance(bare, type) and issubclass(bare, Enum) else ()


def options(hint: Any) -> tuple[Any, ...]:
    """The members of a union without ``None``, or the annotation alone."""
    bare = peel(hint)[1]
    if get_origin(bare) in (Union, types.UnionType):
        return tuple(part for part in get_args(bare) if part not in (type(None), msgspec.UnsetType))
    return (hint,)


def is_optional(hint: Any) -> bool:
    """Whether ``None`` is one of the alternatives."""
    bare = peel(hint)[1]
    return get_origin(bare) in (Union, types.UnionType) and type(None) in get_args(bare)


def class_of(hint: Any) -> Any:
    """The class under an annotation: ``list`` of ``Annotated[list[int], ...]``."""
    bare = peel(hint)[1]
    return get_origin(bare) or bare


def elements(hint: Any) -> tuple[Any, ...]:
    """The annotations of a collection's elements."""
    return tuple(argument for argument in get_args(peel(hint)[1]) if argument is not Ellipsis)


def is_mapping(hint: Any) -> bool:
    """Whether it is a dict or another mapping, but not a ``TypedDict``, which has members."""
    found = class_of(hint)
    return is_below(found, Mapping) and not typing.is_typeddict(found)


def is_collection(hint: Any) -> bool:
    """Whether it is a list, set or tuple of any length or shape; text and named tuples are none."""
    found = class_of(hint)
    return (
        is_below(found, Collection)
        and not is_below(found, str, bytes, bytearray, memoryview, Mapping, Enum)
        and not hasattr(found, "_field_defaults")
    )


def is_fixed_tuple(hint: Any) -> bool:
    """Whether it is a tuple with an annotation for each place."""
    return class_of(hint) is tuple and Ellipsis not in get_args(peel(hint)[1])


def has_members(hint: Any) -> bool:
    """Whether it is a class with annotated members: Struct, dataclass, attrs, NamedTuple, TypedDict or pydantic."""
    found = class_of(hint)
    return is_below(found, object) and (
        is_below(found, msgspec.Struct)
        or dataclasses.is_dataclass(found)
        or typing.is_typeddict(found)
        or any(hasattr(found, mark) for mark in ("__attrs_attrs__", "_field_defaults", "model_fields"))
    )


def members(hint: Any) -> Iterator[tuple[str, Any]]:
    """Names and annotations of a class's members, resolved. Raises one of ``UNRESOLVED``."""
    found = class_of(hint)
    if is_below(found, msgspec.Struct):
        yield from ((field.name, field.type) for field in msgspec.structs.fields(peel(hint)[1]))
        return
    for name, member in typing.get_type_hints(found, include_extras=True).items():
        if ClassVar not in (member, get_origin(member)):
            yield name, member


def is_below(found: Any, *bases: type) -> bool:
    """Whether it is a class, and one of the bases or below them."""
    return isinstance(found, type) and issubclass(found, bases)


def name_of(hint: Any) -> str:
    """An annotation as a person would write it."""
    return getattr(hint, "__name__", None) or str(hint)
