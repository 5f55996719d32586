"""Aggregates of every kind, whose events are whatever a command says: what a state has seen shows in all it decides.

Each event says which state it was decided on (``saw``), so that a log proves by itself that no command was decided on
anything but the events that stand before it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, ClassVar

import msgspec

from headwater import ALL, App, EventQuery
from headwater.aggregates import Aggregate, decide, evolve
from headwater.commands.handlers import handles
from headwater.errors import Refused
from headwater.messages import Command, Event, Recorded, Tag, contract
from headwater.upcasting import upcast

X = Annotated[str, Tag("x")]
Y = Annotated[str | None, Tag("y")]
Xs = Annotated[list[str], Tag("x")]


class Line(msgspec.Struct, frozen=True):
    """A tag in a nested struct."""

    z: Annotated[int, Tag("z")]


class Fact(Event):
    """What all events here say."""

    xs: Xs = []
    y: Y = None
    lines: list[Line] = []
    number: float = 0
    items: list[Any] = []
    saw: str = ""


class A(Fact):
    """Evolved by nearly all."""


@contract("B", version=2, aliases=["OldB"])
class B(Fact):
    """Had another name, and another form."""


class C(Fact):
    """Evolved by few."""


class D(Fact):
    """Evolved by nobody."""


@upcast("B", from_version=1)
def with_number(stored: dict[str, Any]) -> dict[str, Any]:
    """The first version called it otherwise."""
    stored["number"] = stored.pop("no")
    return stored


FACTS: dict[str, type[Fact]] = {"A": A, "B": B, "C": C, "D": D}


class Write(msgspec.Struct, frozen=True):
    """An event that a command is to make."""

    kind: str
    xs: tuple[str, ...] = ()
    y: str | None = None
    zs: tuple[int, ...] = ()


class Do(Command):
    """What all commands here say: what to make, and what to do where the state has seen so many events."""

    x: X
    y: Y = None
    xs: Xs = []
    lines: list[Line] = []
    writes: list[Write] = []
    number: int = 0
    does: dict[int, str] = {}


class Kind(Aggregate):
    """What all aggregates here do: keep what they have seen, and show it in everything they decide."""

    cases: ClassVar[int] = 4
    seen: list[str] = []
    items: list[Any] = []
    kept: list[Any] = []

    def _facts(self, command: Do) -> list[Fact] | None:
        """Make the events, or refuse, or raise, or make nothing, as the state has it."""
        match command.does.get(len(self.seen) % self.cases):
            case "refuse":
                raise Refused("no", "seen enough", saw=self.digest())
            case "raise":
                raise ArithmeticError(self.digest())
            case "nothing":
                return None
        return [self._fact(command, write) for write in command.writes]

    def _fact(self, command: Do, write: Write) -> Fact:
        """Values of the state and of the command go into it as they are, a whole number where it has a float."""
        xs: Any = write.xs
        lines = [Line(z=z) for z in write.zs]
        items = self.items if command.number % 2 else [command.xs, (1, 2)]
        return FACTS[write.kind](
            xs=xs,
            y=write.y,
            lines=lines,
            number=command.number,
            items=items,
            saw=f"{type(self).__name__}:{self.digest()}",
        )

    def _keep(self, event: Fact, position: int = 0) -> None:
        """Nothing is lost: neither the order nor the values, nor what kind they are of."""
        self.seen.append(f"{type(event).__name__}:{position}:{event.number!r}:{event.xs!r}:{event.saw}")
        self.kept = event.items
        self.items.append(event.number)

    def digest(self) -> str:
        """Tells states apart."""
        return hashlib.blake2b(repr((self.seen, self.items, self.kept)).encode(), digest_size=6).hexdigest()


class DoOne(Do): ...


class One(Kind, kw_only=True):
    x: X

    @decide(when=lambda self: len(self.seen) % 5 != 4 or f"has seen {self.digest()}")
    def act(self, command: DoOne) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A | B) -> None:
        self._keep(event)


class DoTwo(Do): ...


class Two(Kind, kw_only=True):
    x: X
    y: Y

    @decide
    def act(self, command: DoTwo) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A | C) -> None:
        self._keep(event)


class DoMany(Do): ...


class Many(Kind, kw_only=True):
    xs: Xs

    @decide
    def act(self, command: DoMany) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A | B) -> None:
        self._keep(event)


class DoNested(Do): ...


class Nested(Kind, kw_only=True):
    zs: Annotated[list[int], Tag("z")]

    @classmethod
    def start(cls, command: Do) -> Nested:
        return cls(zs=[line.z for line in command.lines])

    @decide
    def act(self, command: DoNested) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: B | C) -> None:
        self._keep(event)


class DoBoth(Do): ...


class Both(Kind, kw_only=True):
    x: X
    y: Y

    def boundary(self) -> EventQuery:
        return EventQuery.of(types=("A", "B"), tags=(f"x:{self.x}", f"y:{self.y}"))

    @decide
    def act(self, command: DoBoth) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A | C) -> None:
        self._keep(event)


class DoUntyped(Do): ...


class Untyped(Kind, kw_only=True):
    x: X

    def boundary(self) -> EventQuery:
        return EventQuery.of(tags=(f"x:{self.x}",))

    @decide
    def act(self, command: DoUntyped) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A) -> None:
        self._keep(event)


class DoEither(Do): ...


class Either(Kind, kw_only=True):
    x: X
    y: Y

    def boundary(self) -> EventQuery:
        return EventQuery.of(types=("A",), tags=(f"x:{self.x}",)) | EventQuery.of(types=("B", "D"))

    @decide
    def act(self, command: DoEither) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: Recorded[A] | Recorded[B]) -> None:
        self._keep(event.event, event.position)


class DoAll(Do): ...


class All(Kind, kw_only=True):
    def boundary(self) -> EventQuery:
        return ALL

    @decide
    def act(self, command: DoAll) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A | B | C) -> None:
        self._keep(event)


class DoTagless(Do): ...


class Tagless(Kind, kw_only=True):
    @decide
    def act(self, command: DoTagless) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: C) -> None:
        self._keep(event)


class DoStarted(Do): ...


class Started(Kind, kw_only=True):
    """Its state begins with more of the command than the boundary has."""

    x: X
    by_number: dict[int, str] = msgspec.field(default_factory=lambda: {1: "one"})

    @classmethod
    def start(cls, command: Do) -> Started:
        return cls(x=command.x, items=[command.number % 3])

    @decide
    def act(self, command: DoStarted) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: A | B) -> None:
        self._keep(event)


class DoDated(Do): ...


class Dated(Kind, kw_only=True):
    x: X

    @decide
    def act(self, command: DoDated) -> list[A | B | C | D] | None:
        return self._facts(command)

    @evolve
    def on(self, event: B) -> None:
        self._keep(event)

    @evolve
    def on_recorded(self, event: Recorded[A]) -> None:
        self._keep(event.event, event.position)


class DoBlind(Do): ...


class Blind(Kind, kw_only=True):
    """Evolves nothing, and so looks at nothing."""

    x: X

    @decide
    def act(self, command: DoBlind) -> list[A | B | C | D] | None:
        return self._facts(command)


class DoSeveral(Do):
    """A command handler ends in several commands."""


@handles
async def do_several(command: DoSeveral) -> list[DoOne | DoTwo]:
    """One at each of two boundaries."""
    return [cls(**msgspec.structs.asdict(command)) for cls in (DoOne, DoTwo)]


KINDS: dict[type[Do], type[Kind]] = {
    DoOne: One,
    DoTwo: Two,
    DoMany: Many,
    DoNested: Nested,
    DoBoth: Both,
    DoUntyped: Untyped,
    DoEither: Either,
    DoAll: All,
    DoTagless: Tagless,
    DoStarted: Started,
    DoDated: Dated,
    DoBlind: Blind,
}


def deciders(snapshot_every: int | None = None, **options: Any) -> App:
    """The application, whose aggregates may keep snapshots."""
    kinds: list[Any] = list(KINDS.values())
    if snapshot_every is not None:
        kinds = [type(kind.__name__, (kind,), {"snapshot_every": snapshot_every}) for kind in kinds]
    return App("deciders", *kinds, *FACTS.values(), with_number, do_several, **options)
