"""Who takes what, and who gives what back: decisions on pictures of a fleet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.followers.sharing import claims, live_workers, releases
from headwater.read_store.checkpoints import NOBODY, SLICES, Checkpoint, Fleet, Share, Worker, regranted

P = {"P": 1}


def worker(name, *, follows=True, is_live=True, versions=None):
    return Worker(id=name, host="h", pid=1, started="", versions=versions or P, follows=follows, is_live=is_live)


def fleet(workers, *ranges, version=1):
    """Ranges as ``(low, high, owner)``."""
    shares = [Share("P", version, Checkpoint(0, 1, 0, low, high, 0, owner)) for low, high, owner in ranges]
    return Fleet(tuple(workers), tuple(shares))


def stepped(picture, regrants):
    """The picture after these were granted."""
    stored = {share.checkpoint.low: share.checkpoint for share in picture.shares}
    for regrant in regrants:
        made = regranted(regrant, stored.values())
        assert made is not None
        for share in regrant.before:
            del stored[share.checkpoint.low]
        stored |= {each.low: each for each in made}
    return Fleet(picture.workers, tuple(Share("P", 1, stored[low]) for low in sorted(stored)))


def owned(picture):
    """How many slices each has."""
    counts = {}
    for share in picture.shares:
        counts[share.checkpoint.owner] = counts.get(share.checkpoint.owner, 0) + share.checkpoint.slices
    return counts


def settled(picture):
    """Let everybody decide in turn until nothing moves; also gives how many slices changed hands."""
    moved = 0
    for _ in range(50):
        before = picture
        live = live_workers(picture, ())
        for each in sorted(live):
            versions = next(w.versions for w in picture.workers if w.id == each)
            for decide in (releases, claims):
                wanted = decide(picture, each, versions, live)
                moved += sum(
                    high - low + 1
                    for regrant in wanted
                    for low, high, owner in regrant.after
                    if owner == each and owner != regrant.before[0].checkpoint.owner
                )
                picture = stepped(picture, wanted)
        if picture.shares == before.shares:
            return picture, moved
    raise AssertionError(picture)


def test_one_worker_takes_all_of_it():
    """In one piece."""
    (regrant,) = claims(fleet([worker("a")], (0, 1023, NOBODY)), "a", P, frozenset("a"))
    assert regrant.after == ((0, 1023, "a"),)


def test_who_holds_a_fair_share_moves_nothing():
    """Neither gives nor takes."""
    picture = fleet([worker("a"), worker("b")], (0, 511, "a"), (512, 1023, "b"))
    for each in "ab":
        assert not releases(picture, each, P, frozenset("ab"))
        assert not claims(picture, each, P, frozenset("ab"))


def test_the_second_worker_gets_the_upper_half():
    """The first gives it back, the second takes it; nothing else moves."""
    picture, moved = settled(fleet([worker("a"), worker("b")], (0, 1023, "a")))
    assert [(s.checkpoint.low, s.checkpoint.high, s.checkpoint.owner) for s in picture.shares] == [
        (0, 511, "a"),
        (512, 1023, "b"),
    ]
    assert moved == 512


@pytest.mark.parametrize("gone", ["owner", "lease"])
def test_what_nobody_holds_any_more_is_taken(gone):
    """Because the worker is not listed, or its lease has ended."""
    workers = [worker("a"), *([worker("b", is_live=False)] if gone == "lease" else [])]
    picture, _ = settled(fleet(workers, (0, 511, "a"), (512, 1023, "b")))
    assert owned(picture) == {"a": 1024}


def test_a_process_that_is_known_to_be_gone_is_not_waited_for():
    """Whatever its lease says."""
    assert live_workers(fleet([worker("a"), worker("b")]), ["b"]) == {"a"}


def test_a_claim_grows_from_what_is_held():
    """Upwards or downwards, so that ranges can be joined."""
    workers = [worker("a"), worker("b")]
    upwards = claims(fleet(workers, (0, 9, "a"), (10, 1023, "")), "a", P, frozenset("ab"))
    assert upwards[0].after == ((10, 511, "a"), (512, 1023, ""))
    downwards = claims(fleet(workers, (0, 1013, ""), (1014, 1023, "a")), "a", P, frozenset("ab"))
    assert downwards[0].after == ((0, 511, ""), (512, 1013, "a"))


def test_small_ranges_are_given_back_first():
    """What was taken over for somebody goes back in one piece."""
    picture = fleet([worker("a"), worker("b")], (0, 511, "a"), (512, 767, "x"), (768, 1023, "a"))
    (regrant,) = releases(picture, "a", P, frozenset("ab"))
    assert regrant.after == ((768, 1023, NOBODY),)


def test_other_versions_and_other_projections_are_left_alone():
    """A worker touches what it knows."""
    picture = fleet([worker("a"), worker("old", versions={"P": 2})], (0, 1023, NOBODY), version=2)
    assert not claims(picture, "a", P, frozenset({"a", "old"}))
    assert not claims(picture, "a", {"Q": 2}, frozenset({"a", "old"}))


def test_workers_that_know_another_version_do_not_count():
    """The share is among those who can do the work."""
    workers = [worker("a"), worker("new", versions={"P": 2}), worker("watching", follows=False)]
    picture, _ = settled(fleet(workers, (0, 1023, NOBODY)))
    assert owned(picture) == {"a": 1024}


def test_a_stand_in_works_until_a_follower_comes():
    """Then it gives everything back."""
    alone, _ = settled(fleet([worker("s", follows=False)], (0, 1023, NOBODY)))
    assert owned(alone) == {"s": 1024}
    helped, _ = settled(Fleet((*alone.workers, worker("a")), alone.shares))
    assert owned(helped) == {"a": 1024}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_any_fleet_comes_to_fair_shares(sizes):
    """However many come and go: all slices are held, nobody has more than a fair share, no more move than must."""
    picture = fleet([], (0, 1023, NOBODY))
    for size in sizes:
        names = [f"w{number}" for number in range(size)]
        before = owned(picture)
        picture, moved = settled(Fleet(tuple(map(worker, names)), picture.shares))
        after, fair = owned(picture), -(-SLICES // size)
        assert sum(after.values()) == SLICES
        assert after.keys() <= set(names)
        assert max(after.values()) <= fair
        assert moved == sum(max(0, after[name] - before.get(name, 0)) for name in after)


def test_a_rolling_restart_moves_only_what_must_move():
    """Of four workers one after the other goes and comes back: its part is taken over, and given back to it."""
    names = list("abcd")
    picture, _ = settled(fleet(map(worker, names), (0, 1023, NOBODY)))
    for name in names:
        others = [each for each in names if each != name]
        without, first = settled(Fleet(tuple(map(worker, others)), picture.shares))
        picture, second = settled(Fleet(tuple(map(worker, names)), without.shares))
        assert (first, second) == (256, 256)
        assert owned(picture) == dict.fromkeys(names, 256)
