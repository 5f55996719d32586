"""Which aggregate decides a command, and which in-process boundary that is.

Reads: aggregates.py. Read next: boundaries.py.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import Any

import msgspec

from headwater.aggregates import Aggregate, AggregatePlan, Decider, default_boundary, evolved_types, overrides
from headwater.errors import HandlerContractError
from headwater.event_store.protocol import EventQuery, QueryItem
from headwater.foreign import encode_canonical
from headwater.messages import Command, contract_of
from headwater.tags import TagField


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How one command type finds its decision."""

    name: str
    plan: AggregatePlan
    decider: Decider
    key: Callable[[Command], Hashable]
    """Equal for commands whose decisions start from the same state and look at the same events."""
    start: Callable[[Command], Aggregate]
    boundary: Callable[[Aggregate], EventQuery | None]


def routes_of(plan: AggregatePlan) -> dict[type[Command], Route]:
    """A route for each command that the aggregate decides."""
    return {command: _route(plan, command, decider) for command, decider in plan.deciders.items()}


def _route(plan: AggregatePlan, command: type[Command], decider: Decider) -> Route:
    cls = plan.cls
    own_boundary = overrides(cls, "boundary")
    own_start = overrides(cls, "start")
    names = tuple(field.field for field in plan.tags)
    key = _key_by_start(cls) if own_start or own_boundary else _key_by_tags(cls, names)
    return Route(
        name=contract_of(command).name,
        plan=plan,
        decider=decider,
        key=key,
        start=_own_start(cls) if own_start else _start_by_tags(cls, names),
        boundary=(lambda state: state.boundary()) if own_boundary else _boundary_by_tags(plan.tags, evolved_types(cls)),
    )


def _boundary_by_tags(tags: tuple[TagField, ...], types: tuple[str, ...]) -> Callable[[Any], EventQuery | None]:
    """What ``Aggregate.boundary`` does, with the usual case of one tag made short."""
    if not types:
        return lambda _state: None

    def in_general(state: Any) -> EventQuery | None:
        query = default_boundary(state, tags, types)
        return query if query.items else None  # an order without lines is about no product, and not about all

    if len(tags) != 1 or tags[0].many:
        return in_general
    value, name = attrgetter(tags[0].field), f"{tags[0].tag}:"

    def boundary(state: Any) -> EventQuery | None:
        found = value(state)
        if type(found) is not str:
            return in_general(state)
        return EventQuery((QueryItem(types, (name + found,)),))

    return boundary


def _own_start(cls: type[Aggregate]) -> Callable[[Any], Aggregate]:
    def start(command: Any) -> Aggregate:
        state: Any = cls.start(command)
        if not isinstance(state, cls):
            raise HandlerContractError(
                f"{cls.__name__}.start returned {type(state).__name__}", remedy=f"return {cls.__name__}(...)"
            )
        return state

    return start


def _start_by_tags(cls: type[Aggregate], names: tuple[str, ...]) -> Callable[[Any], Aggregate]:
    """What ``Aggregate.start`` does, with the fields looked up once."""
    if len(names) != 1:
        return lambda command: cls(**{name: getattr(command, name) for name in names})
    (name,) = names
    value = attrgetter(name)
    return lambda command: cls(**{name: value(command)})


def _key_by_tags(cls: type[Aggregate], names: tuple[str, ...]) -> Callable[[Any], Hashable]:
    if not names:
        return lambda _command: cls
    values = attrgetter(*names)

    def key(command: Any) -> Hashable:
        found: Any = values(command)
        return cls, found if isinstance(found, str) else encode_canonical(found)

    return key


def _key_by_start(cls: type[Aggregate]) -> Callable[[Any], Hashable]:
    start = _own_start(cls)

    def key(command: Any) -> Hashable:
        state = start(command)
        return cls, encode_canonical(state), state.boundary()

    return key
