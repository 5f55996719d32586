"""What is on offer on a boundary now: which commands its state allows, and why not the others.

Reads: loading.py, routing.py. Read next: executor.py. It is for those who show commands; who sends one is told by its
decision, which alone is an authority: what is on offer here may be refused a moment later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from headwater.aggregates import Aggregate, overrides
from headwater.annotations import name_of
from headwater.commands.boundaries import Boundaries, Boundary
from headwater.commands.loading import Loader
from headwater.commands.routing import Route
from headwater.errors import ContractError
from headwater.messages import Command


class Offer(msgspec.Struct, frozen=True):
    """A command, and the reason why it is not on offer now; ``None`` if it is."""

    command: type[Command]
    reason: str | None


class Offers(msgspec.Struct, frozen=True):
    """What can be done with an aggregate as it stands: ``position`` is that of its last change (0: none yet)."""

    position: int
    offers: tuple[Offer, ...]

    def of(self, command: type[Command]) -> Offer:
        """The offer of one command; one that the aggregate does not decide is on offer as far as it knows."""
        return next((offer for offer in self.offers if offer.command is command), Offer(command, None))


async def find_offers(
    cls: type[Aggregate], key: Mapping[str, Any], routes: Iterable[tuple[Route, Loader]], boundaries: Boundaries
) -> Offers | None:
    """The offers of an aggregate, named by its ``Tag`` fields; ``None`` if its state begins from a command.

    That is where it has a ``start`` of its own: nobody can know its boundary before there is a command. The state is
    the one that commands are decided on, brought up to date in its turn among them. Raises ``ContractError`` for what
    is no aggregate, or is named by other fields.
    """
    own = [(route, loader) for route, loader in routes if route.plan.cls is cls]
    if not own:
        raise ContractError(
            f"{name_of(cls)} decides no command of this application", remedy="give one of its aggregates"
        )
    if overrides(cls, "start"):
        return None
    route, loader = own[0]
    named = [field.field for field in route.plan.tags]
    if sorted(key) != sorted(named):
        raise ContractError(f"{cls.__name__} is named by {_listed(named)}, and not by {_listed(key)}")
    empty: Any = cls(**key)
    boundary = boundaries.use(route.key(empty))
    try:
        turn = boundary.take()
        if turn is not None:
            await boundary.wait(turn)
        try:
            state = await _state(route, loader, boundary, empty)
            offers = tuple(Offer(each.decider.command, each.decider.reason_against(state)) for each, _ in own)
            return Offers(boundary.version, offers)
        finally:
            boundary.release()
    finally:
        boundaries.done(boundary)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name}=" for name in names) or "nothing"


async def _state(route: Route, loader: Loader, boundary: Boundary, empty: Aggregate) -> Aggregate:
    """The state of a boundary as of now."""
    if boundary.state is None:
        boundary.begin(empty, route.boundary(empty))
    await loader.load(boundary)
    return boundary.state or empty  # a snapshot may have taken its place


def begins(route: Route) -> bool:
    """Whether a command is on offer where nothing has happened yet."""
    if route.decider.when is None or overrides(route.plan.cls, "start"):
        return True
    empty = route.plan.cls(**dict.fromkeys((field.field for field in route.plan.tags), ""))
    return route.decider.reason_against(empty) is None
