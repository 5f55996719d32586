"""Identifiers that grow, also where a counter is carried and where the clock goes back."""

from __future__ import annotations

from uuid import RFC_4122, UUID

import pytest

from headwater.ids import UuidSequence, uuid_of

FAR_AHEAD = 1 << 47


def test_every_one_is_greater_than_those_before():
    """Thousands of them, in some milliseconds, each a UUID of version 7."""
    sequence = UuidSequence()
    made = [sequence() for _ in range(5_000)]
    assert made == sorted(set(made))
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_a_carry_leaves_version_and_variant_alone():
    """The counter stands on both sides of the variant, and the clock stands still meanwhile."""
    sequence = UuidSequence()
    before = UUID(f"{FAR_AHEAD:012x}" + "7abc" + "bfffffffffffffff")
    sequence._millisecond, sequence._last = FAR_AHEAD, before.int
    following = sequence()
    assert before < following < sequence()
    assert (following.version, following.variant) == (7, RFC_4122)
    assert following.int >> 64 == (before.int >> 64) + 1


def test_a_uuid_of_stored_bytes_is_like_any_other():
    """Equal, and as unchangeable."""
    made = uuid_of(bytes(range(16)))
    assert made == UUID(bytes=bytes(range(16)))
    assert (hash(made), repr(made)) == (hash(UUID(bytes=made.bytes)), repr(UUID(bytes=made.bytes)))
    with pytest.raises(TypeError):
        made.int = 1
