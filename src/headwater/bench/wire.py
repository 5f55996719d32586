"""``python -m headwater.bench.wire PORT CONNECTIONS SECONDS PATH ORDERS [CREDENTIALS]``: many HTTP clients.

Reads: workload.py. Each connection has one request under way at a time and goes round its own share of the orders. It
runs beside the server in a process of its own, for floor and subject alike, so neither pays for parsing in the other.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from time import perf_counter, process_time
from typing import cast

import msgspec

from headwater.bench.payload import line_json, order_id
from headwater.bench.processes import answer
from headwater.bench.timing import run, waits_ms

_HOST = "127.0.0.1"
_LONGEST_WARM_UP_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 10.0
_LENGTH = b"content-length: "


class Traffic:
    """What came back over all connections while ``counting``."""

    def __init__(self) -> None:
        self.counting = False
        self.stopped = False
        self.waits: list[float] = []
        self.failures: list[str] = []
        self.counted = asyncio.Event()

    async def something(self, longest_seconds: float) -> None:
        """Wait until anything came back: a time box may be shorter than a busy machine needs for one answer."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.counted.wait(), longest_seconds)


class Connection(asyncio.Protocol):
    """One keep-alive connection: send, wait for the whole response, send the next."""

    def __init__(self, requests: Iterator[bytes], traffic: Traffic) -> None:
        self._requests = requests
        self._traffic = traffic
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by their class
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count a response once it is whole, and send the next request."""
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n") + 4
        if end == 3 or len(received) - end < _body_length(received[:end]):  # noqa: PLR2004  not found is -1
            return
        self._received = b""
        traffic = self._traffic
        if received[9:10] != b"2":
            traffic.failures.append(received[:500].decode(errors="replace"))
            traffic.counted.set()
        elif traffic.counting:
            traffic.waits.append(perf_counter() - self._sent_at)
            traffic.counted.set()
        if not traffic.stopped:
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        self._sent_at = perf_counter()
        if self._transport is not None:
            self._transport.write(next(self._requests))


def _body_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(_LENGTH)
    if at < 0:
        raise ValueError("a response without content-length cannot be read here")
    start = at + len(_LENGTH)
    return int(lower[start : lower.index(b"\r", start)])


def requests_for(path: str, orders: range, credentials: str = "") -> list[bytes]:
    """Whole requests, ready to send, one for each order; with ``credentials`` they say who sends them."""
    bodies = [line_json(order_id(order)) for order in orders]
    shown = f"authorization: {credentials}\r\n" if credentials else ""
    head = f"POST {path} HTTP/1.1\r\nhost: {_HOST}\r\n{shown}content-type: application/json\r\ncontent-length: "
    return [b"%b%d\r\n\r\n%b" % (head.encode(), len(body), body) for body in bodies]


async def drive(
    port: int, connections: int, seconds: float, path: str, orders: int, credentials: str = ""
) -> dict[str, object]:
    """Requests per second after a short warm-up, their waits, and how busy this process was itself."""
    traffic = Traffic()
    loop = asyncio.get_running_loop()
    for number in range(connections):
        mine = cycle(requests_for(path, range(number, orders, connections), credentials))
        await loop.create_connection(partial(Connection, mine, traffic), _HOST, port)
    await asyncio.sleep(min(_LONGEST_WARM_UP_SECONDS, seconds / 2))
    traffic.counting, started, busy = True, perf_counter(), process_time()
    await asyncio.sleep(seconds)
    await traffic.something(_LONGEST_WAIT_SECONDS)
    traffic.counting, passed, busy = False, perf_counter() - started, process_time() - busy
    traffic.stopped = True
    await asyncio.sleep(min(0.1, seconds / 2))  # what is under way may still come back
    return {
        "rate": len(traffic.waits) / passed,
        "failures": traffic.failures[:3],
        "details": {**waits_ms(traffic.waits), "generator_busy": busy / passed},
    }


if __name__ == "__main__":
    port, connections, seconds, path, orders, *credentials = sys.argv[1:]
    seen = run(drive(int(port), int(connections), float(seconds), path, int(orders), *credentials))
    answer(msgspec.json.encode(seen).decode())
