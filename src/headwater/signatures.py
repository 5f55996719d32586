"""What a registered function asks for, read from its annotations once.

Reads: annotations.py, messages.py. Read next: aggregates.py.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import msgspec

from headwater.annotations import is_optional, unresolved
from headwater.clock import Now
from headwater.errors import HandlerContractError, WiringError
from headwater.messages import Command, Event, Recorded

F = TypeVar("F", bound=Callable[..., Any])

_MARKED = "__marked__"
"""The name of the decorator that marked a function, on the function."""


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: its ``name``, resolved ``annotation``, and whether it has a default."""

    name: str
    annotation: Any
    required: bool

    @property
    def wants_now(self) -> bool:
        """Whether this parameter is to be given the time of the decision."""
        return bool(self.annotation == Now)


class Signature(msgspec.Struct, frozen=True):
    """A function's parameters (without ``self``), and what it returns (``Parameter.empty`` if it does not say)."""

    where: str
    parameters: tuple[Parameter, ...]
    returns: Any


def read_signature(function: Callable[..., Any], *, method: bool) -> Signature | str:
    """The signature with annotations resolved, or the fault that prevents it."""
    where = getattr(function, "__qualname__", repr(function))
    if method and (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
        return f"{where}: is async, but folding and deciding wait for nothing; what must wait is a @handles function"
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        return f"{where}: {unresolved(error)}"
    listed = list(inspect.signature(function).parameters.values())[1 if method else 0 :]
    for parameter in listed:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return f"{where}: *{parameter.name} cannot be filled in; name what is needed"
        if parameter.name not in hints:
            return f"{where}: parameter {parameter.name!r} has no annotation"
    return Signature(
        where,
        tuple(Parameter(p.name, hints[p.name], p.default is p.empty) for p in listed),
        hints.get("return", inspect.Parameter.empty),
    )


def leaves(annotation: Any) -> Iterator[Any]:
    """The classes a return annotation may yield: unions and containers are opened, ``None`` is left out."""
    origin = get_origin(annotation)
    if any(annotation is nothing for nothing in (None, type(None), Ellipsis, inspect.Parameter.empty)):
        return
    if origin is Annotated:
        yield from leaves(get_args(annotation)[0])
    elif origin is Union or origin is types.UnionType or (isinstance(origin, type) and issubclass(origin, Iterable)):
        for part in get_args(annotation):
            yield from leaves(part)
    else:
        yield annotation


def may_be_none(returns: Any) -> bool:
    """Whether a function may return ``None``, by what it says; one that says nothing may."""
    return returns in (None, type(None), Any, inspect.Parameter.empty) or is_optional(returns)


def forgotten_return(where: str) -> HandlerContractError:
    """What to raise where ``None`` came back, and may not."""
    return HandlerContractError(
        f"{where} returned None, which it does not say it may",
        remedy="return what it made; if nothing is meant, say so: `-> ... | None`",
        where=where,
    )


def is_kind(annotation: Any, root: type) -> bool:
    """Whether an annotation is a class below ``root``, and not ``root`` itself."""
    return isinstance(annotation, type) and issubclass(annotation, root) and annotation is not root


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself."""
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def enveloped(annotation: Any) -> Iterator[tuple[bool, Any]]:
    """What a method takes that is given events: each class, and whether it wants the envelope, as ``Recorded[E]``."""
    for part in alternatives(annotation):
        if get_origin(part) is Recorded:
            yield from ((True, event) for event in alternatives(get_args(part)[0]))
        else:
            yield False, part


def listed(returned: Any) -> tuple[Any, ...]:
    """What a function returned, as a tuple: ``None`` is nothing, and only true collections are opened."""
    if returned is None:
        return ()
    kind: type[Any] = type(cast("object", returned))
    if issubclass(kind, Iterable) and not issubclass(kind, (str, bytes, Mapping)):
        return tuple(cast("Iterable[Any]", returned))
    return (returned,)


def marked(function: F, mark: str, decorator: str, *, value: Any = True) -> F:
    """The function, marked for ``marked_methods`` and for ``App``. Raises ``WiringError`` for what is no function.

    ``@handles(OpenIncident)`` is a slip that would mark the class, and fail somewhere else.
    """
    given: Any = function
    if isinstance(given, type) or not callable(given):
        what = f"the class {given.__name__}" if isinstance(given, type) else repr(given)
        raise WiringError((f"@{decorator} marks a function, not {what}: what it is for, its annotations say",))
    _refuse_overwriting(function, decorator)
    setattr(function, mark, value)
    setattr(function, _MARKED, decorator)
    return function


def _refuse_overwriting(method: Any, decorator: str) -> None:
    """Two methods of one name, as where names are overloaded by type: Python keeps the last, and one would be gone.

    The class is not there yet; what stands in it so far is seen in the frame that executes its body.
    """
    body, _, name = getattr(method, "__qualname__", "").rpartition(".")
    frame = inspect.currentframe() if body else None
    while frame is not None and frame.f_code.co_qualname != body:
        frame = frame.f_back if frame.f_code.co_qualname != "<module>" else None
    before: Any = None if frame is None else frame.f_locals.get(name)
    if (above := getattr(before, _MARKED, None)) is not None:
        here = f"{method.__qualname__}, marked @{decorator}, has the name of another method above it, marked @{above}"
        raise WiringError((f"{here}; give each a name of its own, since its annotations say what it is for",))


def marked_methods(cls: type, mark: str) -> list[Callable[..., Any]]:
    """The methods that a decorator marked, in declaration order, the most derived definition of each name."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if name in found or hasattr(value, mark):
                found[name] = value
    return [value for value in found.values() if hasattr(value, mark)]


def unmarked_methods(cls: type, root: type, decorators: Mapping[str, str], used: Collection[type]) -> Iterator[str]:
    """Faults of methods below ``root`` that take a message which none of its kin uses: a decorator was forgotten.

    ``decorators`` are the marks with their decorators' names. Helpers begin with an underscore.
    """
    bases = reversed(cls.__mro__[: cls.__mro__.index(root)])
    above = " or ".join(f"@{decorator}" for decorator in decorators.values())
    for name, value in {name: value for base in bases for name, value in vars(base).items()}.items():
        if not isinstance(value, types.FunctionType) and hasattr(getattr(value, "__func__", None), _MARKED):
            yield f"{cls.__name__}.{name}: a marked method takes self, and is no staticmethod or classmethod"
        if name.startswith("_") or not isinstance(value, types.FunctionType):
            continue
        signature = read_signature(value, method=True)
        if isinstance(signature, str) or not signature.parameters or any(hasattr(value, mark) for mark in decorators):
            continue
        for _, message in enveloped(signature.parameters[0].annotation):
            if (is_kind(message, Command) or is_kind(message, Event)) and message not in used:
                fault = f"takes {message.__name__}, but nothing calls it"
                yield f"{signature.where}: {fault}; write {above} above it, or name a helper _{name}"
