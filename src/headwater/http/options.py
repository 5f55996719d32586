"""How the HTTP door may be set. Reads: exchange.py. Read next: commands.py."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol, TypeAlias, get_args

import msgspec

from headwater.errors import HeadwaterError
from headwater.http.exchange import Scope
from headwater.runtime import Runtime
from headwater.settings import check_count, check_flag, check_period, check_setting, check_wait


class Caller(msgspec.Struct, frozen=True):
    """Who sends a request, as it will stand in the metadata of events: the ``actor``, perhaps of a ``tenant``."""

    actor: str | None = None
    tenant: str | None = None


Found: TypeAlias = Caller | str | None
"""What a hook makes of a request: the caller, or just the actor's name, or nobody."""
Authenticate = Callable[[Scope], "Found | Awaitable[Found]"]
"""The ASGI scope in, the caller out. Raise ``Unauthenticated`` to refuse. A plain function, or one to be awaited."""

NOBODY = Caller()
Role = Literal["command", "query", "all"]
ROLES: tuple[Role, ...] = get_args(Role)


class UnknownRole(HeadwaterError, ValueError):
    """A process is to serve as something that there is not: ``role`` is what was asked for."""

    code = "unknown-role"


class Door(Protocol):
    """Another way in through the same server: gives its Starlette routes once the application is open."""

    def __call__(self, runtime: Runtime, http: HttpOptions, /) -> Sequence[Any]:
        """The routes of the door."""
        ...


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the door allows. Sizes in bytes, times in seconds.

    ``authenticate`` says who calls (without it everybody is anonymous). ``doors`` are further ways in, such as
    ``headwater.ui.TaskUi()``; ``routes`` are further Starlette routes. ``docs`` offers the index, the contract page and
    ``/openapi.json``. ``role`` says what is served: commands, queries, or both. A projection that stands before the
    same work for ``patience_seconds`` makes the health check fail. A live query that has nothing to say for
    ``heartbeat_seconds`` says so. Raises ``UnknownRole``, ``InvalidSetting``.
    """

    authenticate: Authenticate | None = None
    doors: Sequence[Door] = ()
    max_body_bytes: int = 1_048_576
    wait_seconds: float = 5.0
    longest_wait_seconds: float = 30.0
    heartbeat_seconds: float = 15.0
    docs: bool = True
    routes: Sequence[Any] = ()
    role: Role = "all"
    patience_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            known = ", ".join(ROLES)
            raise UnknownRole(f"there is no role {self.role!r}", remedy=f"roles are {known}", role=self.role)
        is_hook = self.authenticate is None or callable(self.authenticate)
        check_setting("authenticate", self.authenticate, "a function of the scope, or None", holds=is_hook)
        for name in ("doors", "routes"):
            given = getattr(self, name)
            check_setting(name, given, "a list", holds=isinstance(given, Sequence) and not isinstance(given, str))
        check_setting("doors", self.doors, "functions of runtime and options", holds=all(map(callable, self.doors)))
        check_count("max_body_bytes", self.max_body_bytes, least=1)
        check_wait("wait_seconds", self.wait_seconds)
        check_wait("longest_wait_seconds", self.longest_wait_seconds)
        check_period("heartbeat_seconds", self.heartbeat_seconds)
        check_wait("patience_seconds", self.patience_seconds)
        check_flag("docs", self.docs)


async def authenticate(hook: Authenticate, scope: Scope) -> Caller:
    """Ask the hook who calls."""
    found = hook(scope)
    return caller_of(await found if inspect.isawaitable(found) else found)


def caller_of(found: Found) -> Caller:
    """The caller, from what a hook found."""
    return Caller(found) if isinstance(found, str) else found or NOBODY
