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
from headwater.followers.serving import Serve, Serving
from headwater.followers.worker import is_gone
from headwater.read_store.checkpoints import (
    NOBODY,
    Checkpoint,
    Fleet,
    Share,
    is_known_elsewhere,
    overall,
    ranges_of,
    served,
)
from headwater.read_store.protocol import Changes

_WORST_FIRST: tuple[State, ...] = ("failed", "retrying", "catching-up", "live")


class Standing:
    """The members of this process, and the fleet as it was last seen. Tells ``progress`` what it learns."""

    def __init__(self, consumers: Sequence[Consumer], progress: Progress, serve: Serve) -> None:
        self.versions = {consumer.name: consumer.version for consumer in consumers}
        self.fleet = Fleet()
        self._progress = progress
        self._members: dict[str, list[Member]] = {name: [] for name in self.versions}
        self._seen: dict[str, list[Checkpoint]] = {name: [] for name in self.versions}
        self._beside: dict[str, list[Checkpoint]] = {name: [] for name in self.versions}
        self._others: dict[str, dict[int, Checkpoint]] = {name: {} for name in self.versions}
        self.serving = Serving(self.versions, serve, progress)

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
        for name, version in self.versions.items():
            own = [share.checkpoint for share in fleet.shares if (share.projection, share.version) == (name, version)]
            self._seen[name] = served(own)
            self._beside[name] = [each for each in own if each not in self._seen[name]]
            others = {share.version for share in fleet.shares if share.projection == name} - {version}
            self._others[name] = {other: overall(ranges_of(fleet.shares, {name: other})[name]) for other in others}
            self.tell(name)

    def note(self, changes: Iterable[Changes]) -> None:
        """These changes were stored by this process: whoever keeps answers can tell which of them still hold."""
        self._progress.journal.note(changes)

    def tell(self, name: str) -> None:
        """Let everybody know how far that consumer is, and if part of it has stopped."""
        seen = self._seen[name]
        if seen:
            at = Checkpoint(self.position(name), seen[0].epoch, side=seen[0].side)
            self._progress.advance(name, self.serving.decide(name, at, self._others[name]))
        if self._beside[name]:
            self._progress.building[name] = self.position_beside(name)
        elif self.serving.version(name) == self.versions[name] and name not in self._progress.unready:
            self._progress.building.pop(name, None)
        if name in self.fleet.paused:
            self._progress.fail(name, paused(name, self.position(name)))
        for member in self._members[name]:
            if member.state == "failed" and not self.is_beside(member) and isinstance(member.error, ProjectionError):
                self._progress.fail(name, member.error)

    def position(self, name: str) -> int:
        """How far its hindmost range is."""
        return self._hindmost(name, self._seen[name])

    def position_beside(self, name: str) -> int:
        """How far the hindmost range is of what is built beside."""
        return self._hindmost(name, self._beside[name])

    def _hindmost(self, name: str, seen: Sequence[Checkpoint]) -> int:
        own = {(m.checkpoint.low, m.checkpoint.high, m.checkpoint.epoch): m.position for m in self._members[name]}
        return min((own.get((each.low, each.high, each.epoch), each.position) for each in seen), default=0)

    def furthest(self, name: str) -> int:
        """How far its foremost range is."""
        return max((each.position for each in self._seen[name]), default=0)

    def epoch(self, name: str) -> int:
        """Which epoch of it is served."""
        return max((each.epoch for each in self._seen[name]), default=0)

    def others(self, name: str) -> frozenset[int]:
        """Which other versions of it there are."""
        return frozenset(self._others[name])

    def is_building(self, name: str) -> bool:
        """Whether it is built anew beside what is served."""
        return bool(self._beside[name])

    def is_overtaken(self, name: str) -> bool:
        """Whether what is built beside is no less far than what is served."""
        return self.is_building(name) and self.position_beside(name) >= self.position(name)

    def is_switching(self, name: str) -> bool:
        """Whether this version is not read yet, because another one is more complete."""
        return name in self._progress.unready or self.serving.version(name) != self.versions[name]

    def is_beside(self, member: Member) -> bool:
        """Whether a member builds beside."""
        seen = self._seen[member.name]
        return bool(seen) and member.checkpoint.epoch > seen[0].epoch

    def failure_beside(self, name: str) -> Exception | None:
        """What the building beside stopped with, here."""
        failed = (m for m in self._members[name] if m.state == "failed" and self.is_beside(m))
        return next((member.error for member in failed), None)

    def stored(self, member: Member) -> Checkpoint | None:
        """What was seen of a member's range, ``None`` if it was granted to somebody else."""
        known = (*self._seen[member.name], *self._beside[member.name])
        return next((each for each in known if each.is_grant_of(member.checkpoint)), None)

    def member_of(self, share: Share) -> Member | None:
        """Who works on that range here."""
        members = self._members.get(share.projection, ())
        return next((each for each in members if each.checkpoint.is_grant_of(share.checkpoint)), None)

    def is_settled(self) -> bool:
        """Whether this process holds every consumer as a whole, and in one piece."""
        return all(
            len(self._seen[name]) == 1
            and not self._beside[name]
            and len(self._members[name]) == (name not in self.fleet.paused)
            for name in self.versions
        )

    def is_alone_in_version(self, name: str) -> bool:
        """Whether no other process was seen that knows the consumer in another version."""
        here = (worker for worker in self.fleet.workers if not is_gone(worker))
        return not is_known_elsewhere(here, name, self.versions[name])

    def status(self, name: str, head: int, parked: int = 0) -> ProjectionStatus:
        """How far it is from the head, and how it goes: as badly as its worst part."""
        position, members = self.position(name), [m for m in self._members[name] if not self.is_beside(m)]
        live = {worker.id for worker in self.fleet.workers if worker.is_live}
        owners = {each.owner for each in self._seen[name]} - {NOBODY}
        state: State
        error: Exception | None = None
        if name in self.fleet.paused:
            state = "paused"
        elif members:
            worst = min(members, key=lambda member: _WORST_FIRST.index(member.state))
            state, error = worst.state, worst.error
            if state == "catching-up" and position >= head:  # it began where the log ends, and nothing has come since
                state = "live"
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
            serving=self.serving.version(name),
            building=self.position_beside(name) if self._beside[name] else None,
        )


def paused(name: str, position: int) -> ProjectionPaused:
    """Told to those who wait for a projection that goes no further."""
    return ProjectionPaused(f"{name} is paused at position {position}", projection=name, position=position)
