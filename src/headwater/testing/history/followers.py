"""Rules of followers: checkpoints, owners, effects, tenants. Reads: indexed.py. Read next: checker.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from headwater.testing.history.indexed import Log, Violation
from headwater.testing.history.journal import History
from headwater.testing.history.records import Applied, Effect, Shown


def misapplied(log: Log, history: History) -> Iterator[Violation]:
    """A follower's commits have the effect of every matching event once, and only its owner makes them."""
    commits: dict[str, list[Applied]] = {}
    for applied in history.of(Applied):
        commits.setdefault(applied.follower, []).append(applied)
    for name, each in commits.items():
        yield from _misapplied(log, name, sorted(each, key=lambda applied: applied.at))


def effects(log: Log, history: History) -> Iterator[Violation]:
    """Rebuilding has no effect outside, every effect is of an event that is there, and its key has one."""
    done = history.of(Effect)
    times = Counter(effect.key for effect in done)
    for effect in done:
        if effect.rebuilding:
            yield Violation("effect-on-rebuild", f"{effect.key} was done again while rebuilding", effect.position)
        elif effect.position not in log.at:
            yield Violation("effect-of-nothing", f"{effect.key} was done for no event", effect.position)
    for key, count in times.items():
        if count > 1:
            yield Violation("doubled-effect", f"{key} was done {count} times")


def foreign_rows(history: History) -> Iterator[Violation]:
    """Who asks is shown rows of their own tenant only."""
    for shown in history.of(Shown):
        for other in sorted(set(shown.rows) - {shown.tenant}):
            yield Violation("tenant", f"{shown.tenant} was shown a row of {other}")


def _misapplied(log: Log, name: str, commits: Sequence[Applied]) -> Iterator[Violation]:
    reached, epoch = commits[0].start, commits[0].epoch
    for commit in commits:
        rebuilt = commit.start == 0 and commit.epoch > epoch
        if commit.epoch < epoch:
            yield Violation("zombie", f"{name} was moved by epoch {commit.epoch} after {epoch}", commit.position)
        elif commit.start != reached and not rebuilt:
            yield Violation("checkpoint", f"{name} went on from {commit.start}, but was at {reached}", commit.start)
        yield from _misfolded(log, name, commit)
        reached, epoch = commit.position, max(epoch, commit.epoch)


def _misfolded(log: Log, name: str, commit: Applied) -> Iterator[Violation]:
    expected = log.matching(commit.query, commit.start, commit.position)
    again = [place for place in commit.events if place <= commit.start]
    ahead = sorted(set(expected) - set(commit.events))
    if again:
        yield Violation("redelivered", f"{name} at {commit.start} applied an event once more", again[0])
    elif ahead:
        yield Violation("checkpoint-ahead", f"{name} went to {commit.position} without applying it", ahead[0])
    elif list(commit.events) != expected:
        yield Violation("misapplied", f"{name} applied {list(commit.events)[:10]}, not {expected[:10]}", commit.start)
