"""Command handlers: for what must call the outside world first. Reads: signatures.py. Read next: executor.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from headwater.errors import HandlerContractError
from headwater.messages import Command, Event, contract_of
from headwater.signatures import (
    Parameter,
    forgotten_return,
    is_kind,
    leaves,
    listed,
    marked,
    may_be_none,
    read_signature,
)

F = TypeVar("F", bound=Callable[..., Any])

_HANDLES = "__handles__"


def handles(function: F, /) -> F:
    """Mark an async function that handles a command: ``async def handle(command: FetchRates, client: Client) -> ...``.

    It may call the outside world, and ends in events, in further commands, or in ``None``; it returns no domain data.
    Everything after the command is given by annotation: services of the app, ``Now``, or the ``Runtime``.
    """
    return marked(function, _HANDLES, "handles")


def is_handler(part: object) -> bool:
    """Whether ``handles`` marked this function."""
    return callable(part) and getattr(part, _HANDLES, False) is True


class HandlerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one command handler."""

    command: type[Command]
    function: Callable[..., Any]
    extras: tuple[Parameter, ...]
    messages: tuple[type[Command | Event], ...]
    may_be_none: bool
    where: str

    @property
    def name(self) -> str:
        """The name of the command it handles."""
        return contract_of(self.command).name


def handler_plan(function: Callable[..., Any]) -> HandlerPlan | str:
    """Read a handler once; a string is the fault that makes it unusable."""
    signature = read_signature(function, method=False)
    if isinstance(signature, str):
        return signature
    where = signature.where
    if not inspect.iscoroutinefunction(function):
        return f"{where}: a command handler is an async function; what decides without waiting is a decider"
    if not signature.parameters or not is_kind(signature.parameters[0].annotation, Command):
        return f"{where}: the first parameter must be annotated with a Command"
    returned = tuple(leaves(signature.returns))
    wrong = [leaf for leaf in returned if not _is_message(leaf)]
    if wrong:
        names = ", ".join(getattr(leaf, "__name__", str(leaf)) for leaf in wrong)
        return f"{where}: a command handler returns events, commands or None, not {names}; ask a query for data"
    messages = tuple(leaf for leaf in returned if leaf not in (Command, Event))
    return HandlerPlan(
        command=signature.parameters[0].annotation,
        function=function,
        extras=signature.parameters[1:],
        messages=messages,
        may_be_none=may_be_none(signature.returns),
        where=where,
    )


def messages_of(returned: Any, plan: HandlerPlan) -> tuple[tuple[Event, ...], tuple[Command, ...]]:
    """What a handler returned: events, or commands. Both, or anything else, is a ``HandlerContractError``."""
    where = plan.where
    if returned is None and not plan.may_be_none:
        raise forgotten_return(where)
    messages = listed(returned)
    for message in messages:
        if not isinstance(message, Event | Command):
            raise HandlerContractError(
                f"{where} returned {type(message).__name__}; a command handler returns no domain data",
                remedy="return events, commands or None; let callers ask a query",
                where=where,
            )
    events = tuple(message for message in messages if isinstance(message, Event))
    commands = tuple(message for message in messages if isinstance(message, Command))
    if events and commands:
        raise HandlerContractError(
            f"{where} returned events and commands together",
            remedy="let a command decide the events too, so that each step is stored once",
            where=where,
        )
    return events, commands


def _is_message(leaf: Any) -> bool:
    return isinstance(leaf, type) and issubclass(leaf, Event | Command)
