"""PgBouncer in transaction mode before a PostgreSQL, where Debian's package is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest
from tests.servers.postgres import Postgres

_PATIENCE_SECONDS = 20


@contextmanager
def pooled(server: Postgres, *, size: int = 3) -> Iterator[str]:
    """The address of a pooler before that server, which has few sessions: ``postgresql://user@host:port``."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    behind = urlsplit(server.url)
    directory = Path(tempfile.mkdtemp(prefix="headwater-pgbouncer-"))
    port = _free_port()
    (directory / "users").write_text(f'"{behind.username}" "{behind.password or ""}"\n', encoding="utf-8")
    (directory / "ini").write_text(
        f"[databases]\n* = host={behind.hostname} port={behind.port or 5432}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {directory / 'users'}\npool_mode = transaction\ndefault_pool_size = {size}\n",
        encoding="utf-8",
    )
    user = _user()
    for path in (directory, *directory.iterdir()):
        if user is not None:
            shutil.chown(path, user)
    process = subprocess.Popen(
        [program, "-q", directory / "ini"], user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        _await_listening(process, port)
        yield f"postgresql://{behind.username}@127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _await_listening(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = monotonic() + _PATIENCE_SECONDS
    while monotonic() < give_up and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        sleep(0.02)
    raise RuntimeError("pgbouncer did not start")


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
