"""Requests as arrays, and answers as outcomes."""

from __future__ import annotations

from headwater.backends.postgres.batches import Batch, Items, outcomes
from headwater.errors import DuplicateEventId
from headwater.event_store import ALL, AppendCondition, Appended, Conflict, EventQuery, NewEvent

of = EventQuery.of


def request(*tags, kind="A", unless=None, count=1):
    """An append of so many events, under a condition on that query."""
    return [NewEvent(kind, b"", tags) for _ in range(count)], AppendCondition(unless) if unless else None


def test_requests_that_do_not_touch_are_one_run():
    """The usual batch: everybody writes to another boundary."""
    batch = Batch([request(f"order:{number}", unless=of(tags=(f"order:{number}",))) for number in range(5)])
    assert batch.runs == [5]


def test_a_run_ends_where_a_condition_may_meet_an_earlier_request():
    """By its tags, by its types, or because it asks for everything."""
    for query in (
        of(tags=("x",)),
        of(types=("A",)),
        of(tags=("x",), types=("A", "B")),
        of(tags=("q",)) | of(tags=("x",)),
    ):
        assert Batch([request("x"), request("y", unless=query)]).runs == [1, 2]
    assert Batch([request("x"), ([NewEvent("A", b"")], AppendCondition(ALL))]).runs == [1, 2]


def test_a_run_goes_on_where_no_condition_can_meet_it():
    """Another type of the tag, another tag of the type, and what ended an earlier run."""
    for query in (of(tags=("x",), types=("B",)), of(tags=("x", "y")), of(types=("B",))):
        assert Batch([request("x"), request("z", unless=query)]).runs == [2]
    first, second = request("x"), request("y", unless=of(tags=("x",)))
    assert Batch([first, second, request("z", unless=of(tags=("x",)))]).runs == [1, 3]


def test_warily_every_request_is_a_run():
    """The server then looks at each one's ids."""
    assert Batch([request("x"), request("y"), request("z")], warily=True).runs == [1, 2, 3]


def test_names_and_sets_of_types_are_sent_once():
    """Requests refer to them by number."""
    two = of(tags=("x",), types=("A", "B"))
    batch = Batch([request("x", unless=two), request("y", kind="B", unless=two), request("z", unless=of(types=("A",)))])
    types, sets, *_ = batch.arguments()
    assert (types, sets) == (["A", "B"], ["A\x1fB", "A"])


def test_an_item_has_a_leading_tag_and_others():
    """Without tags it has none; a position beyond what the database counts is cut."""
    batch = Batch([(request("z")[0], AppendCondition(of(tags=("x", "y", "z")) | of(types=("A",)), 1 << 80))])
    last = (1 << 63) - 1
    assert batch.items == Items([2], [1, 1], [last, last], {("A",): 2, (): 1}, [1, 2], ["x", ""], ["y\x1fz", ""])


def test_a_position_beyond_what_the_database_counts_is_cut():
    """In the usual batch, too."""
    batch = Batch([(request("x")[0], AppendCondition(of(tags=("x",)), 1 << 80))])
    assert batch.items.afters == [(1 << 63) - 1]


def test_each_request_about_its_own_event_alone_is_found_by_request():
    """A second request that asks for the tags of both is no such one, though tags and leads are the same lists."""
    both = of(tags=("x",)) | of(tags=("y",))
    assert Batch([request("x"), request("y", unless=both)]).runs == [1, 2]
    assert Batch([request("x", unless=both), request("y")]).runs == [2]
    own = [request(tag, unless=of(tags=(tag,))) for tag in ("x", "y", "x")]
    assert Batch(own).runs == [2, 3]


def test_a_column_of_one_value_is_sent_once():
    """Type, version, metadata and set of types; not if any differs."""
    types, versions, metadata, sets = (slice(number, number + 1) for number in (5, 6, 9, 13))
    usual = Batch([request(tag, unless=of(tags=(tag,), types=("A",))) for tag in "xyz"]).arguments()
    assert (usual[types], usual[versions], usual[metadata], usual[sets]) == (("{1}",), ("{1}",), ([b"{}"],), ("{1}",))
    other = NewEvent("B", b"", version=2, metadata=b"[]"), AppendCondition(of(types=("B",)))
    mixed = Batch([request("x", unless=of(types=("A",))), ([other[0]], other[1])]).arguments()
    assert (mixed[types], mixed[versions]) == (("{1,2}",), ("{1,2}",))
    assert (mixed[metadata], mixed[sets]) == (([b"{}", b"[]"],), ("{1,2}",))


def test_outcomes_count_on_from_the_head():
    """What was refused takes no positions."""
    batch = Batch([request("a", count=2), request("b"), request("c"), request("d", count=3), request("e")])
    made = outcomes(batch, (10, [2, 3, 4], [1, 3, 2], [7, -1, 5]))
    assert made[:2] == [Appended(11, 12), Conflict(7)]
    assert isinstance(made[2], DuplicateEventId)
    assert made[3:] == [Appended(5, 7, replayed=True), Appended(13, 13)]
