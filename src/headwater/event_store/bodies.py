"""The port for who only wants what events say: their bodies, at once or not at all. Reads: protocol.py.

It is apart from ``EventStore``: a state is folded from types and bodies, and a store that can answer on the spot spares
a command that loads its state the rest of the envelope, an object for each event, and a coroutine.
Read next: commands/loading.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from headwater.event_store.protocol import EventQuery

VERSION_BITS = 32


class Bodies(msgspec.Struct, frozen=True):
    """Matching events in order, as position, form and data, and a head: all that match up to there are among them.

    Type and version are one number here, the form: ``type << 32 | version``; ``types`` has the names of the types.
    Numbers keep their names as long as the store is open.
    """

    rows: Sequence[tuple[int, int, bytes]]
    types: Mapping[int, str]
    head: int

    def form(self, form: int) -> tuple[str, int]:
        """The name of a type, and a version."""
        return self.types[form >> VERSION_BITS], form & ((1 << VERSION_BITS) - 1)


@runtime_checkable
class BodyReader(Protocol):
    """A store that can read bodies without waiting."""

    def read_bodies(self, query: EventQuery, after: int) -> Bodies | None:
        """All events that match after that position; ``None`` if they are too many, or take too long: then ``read``.

        The query is one that ``check_query`` lets pass. Called on a running event loop. Whatever somebody on it has
        heard was appended is there. Raises what ``read`` raises.
        """
        ...
