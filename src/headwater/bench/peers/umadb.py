"""UmaDB: a DCB event store in Rust; its wheel carries client and server. Reads: floors.py, timing.py.

The server runs in its own process on loopback, with one client connection for each thread, as its client is blocking.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

from headwater.bench.figures import Sample
from headwater.bench.floors import fresh
from headwater.bench.payload import line_json, order_key
from headwater.bench.processes import free_port, serving
from headwater.bench.timing import waits_ms


def conditional_appends(parent: Path, seconds: float, threads: int) -> Sample:
    """Appends per second: one event, one tag, on the condition that its order did not move since the last."""
    umadb: Any = import_module("umadb")
    with fresh(parent) as directory, _server(directory) as url, ThreadPoolExecutor(threads) as pool:
        connections = [umadb.Client(url) for _ in range(threads)]
        waits: list[float] = []
        started = perf_counter()
        append = partial(_append_until, umadb, started + seconds, waits)
        list(pool.map(append, connections, range(threads)))  # the list lets a failure come out
        return Sample(len(waits) / (perf_counter() - started), waits_ms(waits))


def _append_until(umadb: Any, end: float, waits: list[float], connection: Any, client: int) -> None:
    head: int | None = None
    begin = perf_counter()
    for appended in count():
        if begin >= end:
            return
        order = order_key(client, appended)
        tags = [f"order:{order}"]
        query = umadb.Query(items=[umadb.QueryItem(types=["LineAdded"], tags=tags)])
        condition = umadb.AppendCondition(fail_if_events_match=query, after=head)
        head = connection.append([umadb.Event("LineAdded", line_json(order), tags=tags)], condition=condition)
        now = perf_counter()
        waits.append(now - begin)
        begin = now


@contextmanager
def _server(directory: Path) -> Iterator[str]:
    port = free_port()
    program = shutil.which("umadb", path=str(Path(sys.executable).parent)) or shutil.which("umadb") or "umadb"
    command = (program, "--listen", f"127.0.0.1:{port}", "--db-path", str(directory / "uma.db"))
    with serving(command, port):
        yield f"http://127.0.0.1:{port}"
