"""What an application says: commands, queries, events, and what travels with them.

Reads: errors.py. Read next: aggregates.py (who decides), read_models.py (who projects).

Messages are frozen, keyword-only ``msgspec.Struct`` classes. The type name, its version and the metadata travel in
the envelope, never in the body, so a body is plain JSON.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, dataclass_transform
from uuid import UUID

import msgspec
from msgspec import Meta

from headwater.errors import ContractError
from headwater.keyword_only import KeywordOnly
from headwater.limits import Limits, is_seconds

T = TypeVar("T")
E = TypeVar("E", bound="Event", covariant=True)
M = TypeVar("M", bound="type[Message]")

__all__ = [
    "Authorise",
    "Cache",
    "Command",
    "Contract",
    "Event",
    "Message",
    "Meta",
    "Metadata",
    "Query",
    "Receipt",
    "Recorded",
    "ScopeOf",
    "Tag",
    "UnknownEvent",
    "contract",
    "contract_of",
]


class Tag:
    """Marks a field as what an event is about: ``Annotated[str, Tag("incident")]`` gives the tag ``incident:INC1``.

    A list field gives a tag per element, ``None`` gives none. Allowed values: ``str``, ``int``, ``UUID``, ``date``,
    ``Enum``. The name is a plain word without ``:``, else ``ContractError``.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        given: Any = name
        if not isinstance(given, str) or ":" in given or not given.isprintable() or given.split() != [given]:
            raise ContractError(f"a tag's name is a plain word without ':', not {given!r}")
        self.name = name

    def __repr__(self) -> str:
        return f"Tag({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tag) and other.name == self.name

    def __hash__(self) -> int:
        return hash((Tag, self.name))


class Contract(msgspec.Struct, frozen=True):
    """The stable identity of a message: the ``name`` and ``version`` that are stored, and ``aliases`` it had before."""

    name: str
    version: int = 1
    aliases: tuple[str, ...] = ()


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, metaclass=KeywordOnly, frozen=True, gc=False):
    """The root of commands, queries and events. Frozen values make no cycles, so the collector need not watch them."""

    __contract__: ClassVar[Contract | None] = None


class Command(Message, frozen=True, forbid_unknown_fields=True):
    """An intent in the imperative (``ResolveIncident``): carries all it needs, may be refused, returns no data."""


Authorise: TypeAlias = Callable[["Command | Query[Any]", "str | None"], "bool | Awaitable[bool | None] | None"]
"""Asked before each command and query: message and actor in; false, or a raised ``Forbidden``, refuses it.

So does whatever else counts as false, but for ``None``: a hook that returns nothing refuses by raising.
"""

Tell: TypeAlias = Callable[["Receipt | Exception"], None]
"""Called once with what came of a command. Raises nothing."""

ScopeOf: TypeAlias = Callable[[Any, str | None], str | None]
"""A query and the actor who asks it in, out a name for all who may see the same; ``None`` means everybody."""


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are kept: ``class FindIncidents(Query[...], cache=Cache(ttl=60))``. Times in seconds.

    A kept answer is given as long as nothing it was made from has changed. ``max_staleness`` allows a change to be
    late by that much; for ``stale_while_revalidate`` beyond it the old answer is still given while a new one is made.
    ``ttl`` bounds the life of an answer whatever happens, ``size`` how many are kept in a process; ``shared`` keeps
    them in the application's shared cache too. ``scope`` says who sees the same (default: each actor for himself), and
    ``version`` is raised when the handler comes to answer otherwise. Raises ``ContractError``.
    """

    ttl: float | None = None
    size: int = 1_000
    shared: bool = False
    max_staleness: float = 0.0
    stale_while_revalidate: float = 0.0
    scope: ScopeOf | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if self.ttl is not None and not (is_seconds(self.ttl) and self.ttl > 0):
            raise ContractError(f"Cache: ttl is in seconds above 0, or None for no end, not {self.ttl!r}")
        for name in ("max_staleness", "stale_while_revalidate"):
            seconds = getattr(self, name)
            if not is_seconds(seconds):
                raise ContractError(f"Cache: {name} is in seconds from 0, not {seconds!r}")
        for name, least in (("size", 1), ("version", 0)):
            number = getattr(self, name)
            if type(number) is not int or number < least:
                raise ContractError(f"Cache: {name} is a whole number from {least}, not {number!r}")
        if self.scope is not None and not callable(self.scope):
            raise ContractError(f"Cache: scope is a function of query and actor, not {self.scope!r}")


class _QueryMeta(KeywordOnly):
    """Lets a query class take ``cache=`` and ``limits=``, which msgspec would refuse."""

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        cache: Cache | None = None,
        limits: Limits | None = None,
        **options: Any,
    ) -> KeywordOnly:
        _declare(name, namespace, "cache", cache, Cache)
        _declare(name, namespace, "limits", limits, Limits)
        return super().__new__(mcls, name, bases, namespace, **options)


def _declare(query: str, namespace: dict[str, Any], option: str, given: Any, kind: type) -> None:
    if given is None:
        return
    if not isinstance(given, kind):
        raise ContractError(f"{query}: {option} is {kind.__name__}(...), not {given!r}")
    namespace[f"__{option}__"] = given


class Query(Message, Generic[T], metaclass=_QueryMeta, frozen=True, forbid_unknown_fields=True):
    """A request for data (``FindIncidents``): ``Query[T]`` is answered with a ``T`` and never changes anything.

    The class keyword ``cache=Cache(...)`` has its answers kept; ``limits=Limits(...)`` bounds what they may cost.
    """

    __cache__: ClassVar[Cache | None] = None
    __limits__: ClassVar[Limits | None] = None


class Event(Message, frozen=True):
    """A fact in the past tense (``IncidentResolved``). Unknown fields are ignored, so old readers read new events."""


def contract(name: str, *, version: int = 1, aliases: Sequence[str] = ()) -> Callable[[M], M]:
    """Give a message a stable name of its own, a version, and the names it had before.

    Without it a message is called like its class, version 1. Renaming an event class is safe with either
    ``@contract("OldName")`` (keep storing the old name) or ``@contract("NewName", aliases=["OldName"])``. Raises
    ``ContractError``.
    """
    given: Any = name
    if not isinstance(given, str):
        raise ContractError(f"@contract takes the name that is stored, not {name!r}", remedy='write @contract("...")')
    if type(version) is not int:
        raise ContractError(f"@contract({name!r}): version is a whole number from 1, not {version!r}")
    if isinstance(aliases, str):
        raise ContractError(f"@contract({name!r}): aliases are a list of names", remedy=f"write aliases=[{aliases!r}]")

    def mark(cls: M) -> M:
        cls.__contract__ = Contract(name, version, tuple(aliases))
        return cls

    return mark


def contract_of(cls: type[Message]) -> Contract:
    """The contract of a message class: its own, or its class name at version 1 (contracts are not inherited)."""
    own = cls.__dict__.get("__contract__")
    return own if isinstance(own, Contract) else Contract(cls.__name__)


class UnknownEvent(Event, frozen=True):
    """A stored event that no class stands for: its stored ``name``, ``version`` and ``data``, the bytes untouched."""

    name: str
    version: int
    data: bytes


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels with an event: who sent the command, for which tenant, and because of what.

    ``id`` and ``recorded_at`` (aware, UTC) are the event's own, filled in when it is read.
    """

    id: UUID | None = None
    recorded_at: datetime | None = None
    actor: str | None = None
    tenant: str | None = None
    correlation: str | None = None
    causation: str | None = None
    command: str | None = None
    command_hash: str | None = None
    extra: dict[str, Any] = {}


class Recorded(msgspec.Struct, Generic[E], frozen=True):
    """An event as it stands in the log: ``position`` from 1, ``recorded_at`` aware and in UTC."""

    event: E
    position: int
    recorded_at: datetime
    metadata: Metadata


class Receipt(msgspec.Struct, frozen=True):
    """What a command answers. No domain data.

    ``position`` is that of its last event (or of the log, if it raised none); ``replayed`` says whether this was a
    repeat of an earlier command with the same idempotency key.
    """

    position: int
    replayed: bool = False
