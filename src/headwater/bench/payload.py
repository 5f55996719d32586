"""What an event holds: 200 bytes of JSON about an order. Reads: nothing. Read next: floors.py, workload.py."""

from __future__ import annotations

from typing import Any

import msgspec

LINE: dict[str, Any] = {
    "customer_id": "0190a7f2-3c1e-7d44-9b5e-2f6a1c8d0e12",
    "sku": "SKU-000123",
    "quantity": 3,
    "price": 1999,
    "currency": "EUR",
    "note": "left at the door, please ring the bell twice or wait",
}
"""The fields of a line, apart from the order it is about."""

EVENTS_PER_ORDER = 10

_BEFORE_ID, _AFTER_ID = msgspec.json.encode({"order_id": "|", **LINE}).split(b"|")


def line_json(order: str) -> bytes:
    """The body of a command (and of an event) about that order: 200 bytes for an id of 8 characters."""
    return _BEFORE_ID + order.encode() + _AFTER_ID


def order_id(number: int) -> str:
    """The id of an order made beforehand."""
    return f"o-{number}"


def order_key(client: int, appended: int) -> str:
    """The order that a client's next append is about: each gets ten lines before the client goes on to its next."""
    return f"o-{client}-{appended // EVENTS_PER_ORDER}"
