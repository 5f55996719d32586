"""The only source of identity. Reads: nothing. Read next: messages.py."""

from __future__ import annotations

import os
import threading
import time
from uuid import UUID, SafeUUID

_VERSION_AND_VARIANT = (0x7 << 76) | (0x2 << 62)
_LOW_62 = (1 << 62) - 1
_STEP = 0x1_0000_0001
_ABOVE_VARIANT = (1 << 64) - (1 << 62)
_UNKNOWN = SafeUUID.unknown
# A UUID refuses to be changed, and to go round that by the name of a field takes twice as long as by its descriptor.
_set_int = vars(UUID)["int"].__set__
_set_is_safe = vars(UUID)["is_safe"].__set__
_new = object.__new__


class UuidSequence:
    """Makes UUIDs version 7 that only grow: 48 bits of milliseconds, then a 74-bit counter seeded at random.

    Source: RFC 9562 §5.7 and §6.2 (method 2). Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._last = 0

    def __call__(self) -> UUID:
        """A new UUID, greater than every one this sequence made before."""
        now = time.time_ns() // 1_000_000
        with self._lock:
            if now > self._millisecond:
                self._millisecond = now
                counter = int.from_bytes(os.urandom(9), "big")
                number = (now << 80) | _VERSION_AND_VARIANT | ((counter >> 62) << 64) | (counter & _LOW_62)
            else:  # the same millisecond, or the clock went back: count on, to keep the order
                number = self._last + _STEP
                if number & _LOW_62 < _STEP:  # carried into the variant: that belongs above it
                    number += _ABOVE_VARIANT
            self._last = number
        return _uuid(number)

    def forget(self) -> None:
        """Reseed at the next call: a forked child must not repeat its parent's counter."""
        self._lock = threading.Lock()
        self._millisecond = 0


def uuid_of(raw: bytes) -> UUID:
    """The UUID of 16 stored bytes, made in a third of the time that ``UUID(bytes=...)`` takes to check them."""
    return _uuid(int.from_bytes(raw, "big"))


def _uuid(number: int) -> UUID:
    made = _new(UUID)
    _set_int(made, number)
    _set_is_safe(made, _UNKNOWN)
    return made


uuid7 = UuidSequence()
"""A new UUID version 7 of this process. (The standard library has its own from Python 3.14 on.)"""

os.register_at_fork(after_in_child=uuid7.forget)
