"""Where every consumer stands: what this process holds as it goes, the rest as last seen. Reads: groups.py.

A consumer is as far as its hindmost range, whoever works on it. Ranges of other processes only get further, so that an
old look at them is never ahead of the truth. Read next: running.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headwater.errors import ProjectionError, ProjectionPaused
from headwater.followers.consumer import Consumer, ProjectionStatus, State
from headwater.followers.groups import Member
from headwater.followers.progress import Progress
from headwater.followers.worker import is_gone
from headwater.read_store.checkpoints import NOBODY, Checkpoint, Fleet, Share
from headwater.read_store.protocol import Changes

_WORST_FIRST: tuple[State, ...] = ("failed", "retrying", "catching-up", "live")


class Standing:
    """The members of this process, and the fleet as it was last seen. Tells ``progress`` what it learns."""

    def __init__(self, consumers: Sequence[Consumer], progress: Progress) -> None:
        self.versions = {consumer.name: consumer.version for consumer in consumers}
        self.fleet = Fleet()
        self._progress = progress
        self._members: dict[str, list[Member]] = {name: [] for name in self.versions}
        self._seen: dict[str, list[Checkpoint]] = {name: [] for name in self.versions}

    @property
    def members(self) -> list[Member]:
        """All ranges that this process works on."""
        return [member for members in self._members.values() for member in members]

    def add(self, member: Member) -> None:
        """From now on this process holds that range."""
        self._members[member.name].append(member)

    def drop(self, member: Member) -> None:
        """It does not any more."""
        if member in self._members[member.name]:
            self._members[member.name].remove(member)
            self.tell(member.name)

    def see(self, fleet: Fleet) -> None:
        """A look at the whole fleet."""
        self.fleet = fleet
        for seen in self._seen.values():
            seen.clear()
        for share in fleet.shares:
            if self.versions.get(share.projection) == share.version:
                self._seen[share.projection].append(share.checkpoint)
        for name in self.versions:
            self.tell(name)

    def note(self, changes: Iterable[Changes]) -> None:
        """These changes were stored by this process: whoever keeps answers can tell which of them still hold."""
        self._progress.journal.note(changes)

    def tell(self, name: str) -> None:
        """Let everybody know how far that consumer is, and if part of it has stopped."""
        self._progress.advance(name, self.position(name))
        if name in self.fleet.paused:
            self._progress.fail(name, paused(name, self.position(name)))
        for member in self._members[name]:
            if member.state == "failed" and isinstance(member.error, ProjectionError):
                self._progress.fail(name, member.error)

    def position(self, name: str) -> int:
        """How far its hindmost range is."""
        seen = self._seen[name]
        own = {(m.checkpoint.low, m.checkpoint.high, m.checkpoint.epoch): m.position for m in self._members[name]}
        return min((own.get((each.low, each.high, each.epoch), each.position) for each in seen), default=0)

    def furthest(self, name: str) -> int:
        """How far its foremost range is."""
        return max((each.position for each in self._seen[name]), default=0)

    def stored(self, member: Member) -> Checkpoint | None:
        """What was seen of a member's range, ``None`` if it was granted to somebody else."""
        return next((each for each in self._seen[member.name] if each.is_grant_of(member.checkpoint)), None)

    def member_of(self, share: Share) -> Member | None:
        """Who works on that range here."""
        members = self._members.get(share.projection, ())
        return next((each for each in members if each.checkpoint.is_grant_of(share.checkpoint)), None)

    def is_settled(self) -> bool:
        """Whether this process holds every consumer as a whole, and in one piece."""
        return all(
            len(self._seen[name]) == 1 and len(self._members[name]) == (name not in self.fleet.paused)
            for name in self.versions
        )

    def is_alone_in_version(self, name: str) -> bool:
        """Whether no other process was seen that knows the consumer in another version."""
        version = self.versions[name]
        return not any(
            worker.is_live and worker.versions.get(name, version) != version and not is_gone(worker)
            for worker in self.fleet.workers
        )

    def status(self, name: str, head: int, parked: int = 0) -> ProjectionStatus:
        """How far it is from the head, and how it goes: as badly as its worst part."""
        position, members = self.position(name), self._members[name]
        live = {worker.id for worker in self.fleet.workers if worker.is_live}
        owners = {each.owner for each in self._seen[name]} - {NOBODY}
        state: State
        error: Exception | None = None
        if name in self.fleet.paused:
            state = "paused"
        elif members:
            worst = min(members, key=lambda member: _WORST_FIRST.index(member.state))
            state, error = worst.state, worst.error
        else:
            state = "stopped" if not owners & live else "live" if position >= head else "catching-up"
        return ProjectionStatus(
            name=name,
            version=self.versions[name],
            position=position,
            head=head,
            lag_positions=max(0, head - position),
            state=state,
            error=None if error is None else str(error) or type(error).__name__,
            workers=len(owners & live),
            parked=parked,
        )


def paused(name: str, position: int) -> ProjectionPaused:
    """Told to those who wait for a projection that goes no further."""
    return ProjectionPaused(f"{name} is paused at position {position}", projection=name, position=position)
