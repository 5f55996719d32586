"""The port for who has many appends under way: a call when each is done, instead of a task that waits for it.

It is apart from ``EventStore``: what waits in a coroutine is woken up by the event loop, one task after the other, and
that costs a command as much as its decision. Reads: protocol.py. Read next: group_commit.py, commands/executor.py.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import coroutine
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from headwater.event_store.protocol import AppendCondition, Appended, Conflict, NewEvent

T = TypeVar("T")
Tell: TypeAlias = Callable[[Appended | Conflict | Exception], None]
"""Called once with the outcome of an append, or with the exception that ``append`` would raise. Raises nothing.

It may be ``set_result`` of a future: that its task has gone by then is nobody's fault.
"""


@runtime_checkable
class PromptAppender(Protocol):
    """A store that can take an append without making its caller wait."""

    def begin_append(self, events: Sequence[NewEvent], condition: AppendCondition | None, tell: Tell) -> bool:
        """What ``EventStore.append`` does; ``tell`` is called with its outcome, on this loop and not before it returns.

        ``False`` if it would have to wait before it is taken: then ``tell`` is never called, and ``append`` is to be
        awaited. The events are such as ``Codec.encode_event`` makes, and the condition is one that
        ``check_condition`` lets pass: who appends on one query again and again looks at it once. Called on a running
        event loop.

        Raises ``InvalidAppend``, ``DuplicateEventId``, ``StoreClosed``.
        """
        ...

    def append_at_once(
        self, events: Sequence[NewEvent], condition: AppendCondition | None
    ) -> Appended | Conflict | Exception | None:
        """The outcome of an append that was made here and now, since nobody is about who could share its commit.

        ``None`` leaves it to ``begin_append``. What fails in the store is a value; what is wrong with the events is
        raised. A task that does this passes the outcome through ``after_others``.
        """
        ...


@coroutine
def after_others(outcome: T) -> Generator[None, None, T]:
    """The same, once the others on this loop had their turn, so that no task has the loop for itself."""
    yield
    return outcome
