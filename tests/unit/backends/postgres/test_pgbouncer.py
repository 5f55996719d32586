"""The log behind PgBouncer, which gives each transaction to whichever session of the server is free."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headwater.event_store import AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store

OPTIONS = "statement_cache_size=0&notify=off&poll=0.05"


@pytest.fixture
def pooled_url(postgres_url):
    """The test's database through a pooler in transaction mode, with two sessions for everybody."""
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        pytest.skip("pgbouncer is not installed")
    server = urlsplit(postgres_url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = Path(tempfile.mkdtemp(prefix="headwater-pgbouncer-"))  # a place that another user may read
    directory.chmod(0o755)
    settings = directory / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={server.hostname} port={server.port} user={server.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n"
    )
    user = "nobody" if os.geteuid() == 0 else None
    pooler = subprocess.Popen([binary, settings], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, pooler)
        yield f"postgresql://{server.username}@127.0.0.1:{port}{server.path}"
    finally:
        pooler.terminate()
        pooler.wait()
        shutil.rmtree(directory)


def _wait_for(port, pooler):
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up and pooler.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("pgbouncer does not answer")


async def test_everything_works_behind_transaction_pooling(postgres_url, pooled_url):
    """Appends, conditions, reads, a subscription, and more tasks than the pooler has sessions."""
    async with open_store(f"{pooled_url}?{OPTIONS}") as store, open_store(f"{pooled_url}?{OPTIONS}") as other:
        pages = aiter(other.subscribe())
        waiting = asyncio.ensure_future(anext(pages))
        condition = AppendCondition(EventQuery.of(tags=("x",)))
        assert await store.append([NewEvent("A", b"", ("x",))], condition) == Appended(1, 1)
        assert await other.append([NewEvent("A", b"", ("x",))], condition) == Conflict(1)
        assert (await waiting).head == 1
        await asyncio.gather(*(one.append([NewEvent("B", b"")]) for _ in range(50) for one in (store, other)))
        found = await asyncio.gather(*(one.read() for _ in range(10) for one in (store, other)))
        assert {page.head for page in found} == {101}
