"""What ``doctor`` looks at. Reads: errors.py, backends/*/integrity.py. Read next: verbs/doctor.py."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Literal

import msgspec

from headwater.errors import HeadwaterError
from headwater.event_store import open_store
from headwater.event_store.opening import url_to_show

State = Literal["ok", "note", "warning", "failed"]
_LEAST_PYTHON = (3, 11)
_WAL_RESET_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
_LEAST_FREE_BYTES = 100 << 20
_OLDEST_POSTGRES = 15


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: ``state``, what was found, and what to do about it if anything."""

    name: str
    state: State
    value: str
    remedy: str = ""


def look_at_machine() -> list[Finding]:
    """Python, the libraries, the SQLite that the driver carries, and the extras."""
    return [_python(), _library("headwater"), _library("msgspec"), _library("apsw"), _sqlite(), *_extras()]


async def look_at_log(url: str) -> list[Finding]:
    """Whether the log at that URL can be opened, and what its file is like."""
    try:
        facts = await _backend_findings(url)
        async with open_store(url, migrate=False) as store:
            head = await store.head()
            durable = store.capabilities.durable
    except HeadwaterError as error:
        return [Finding("log", "failed", f"{error.code}: {error.message}", error.remedy)]
    kept = Finding("durability", "ok", "acknowledged means on disk")
    if not durable:
        kept = Finding(
            "durability", "warning", "acknowledged events may be lost", "use a durable URL for what must last"
        )
    return [Finding("log", "ok", f"{url_to_show(url)} opens, head {head:,}"), kept, *facts]


def sqlite_is_sound(found: tuple[int, ...]) -> bool:
    """Whether that SQLite is free of the WAL-reset race, by which two connections could damage a file.

    Source: sqlite.org/wal.html, fixed in 3.51.3 and, as backports, in 3.50.7 and 3.44.6.
    """
    newest, *backports = _WAL_RESET_FIXED
    return found >= newest or any(found[:2] == fixed[:2] and found >= fixed for fixed in backports)


def _python() -> Finding:
    text = f"{platform.python_version()} ({platform.python_implementation()}, {platform.platform(terse=True)})"
    good = sys.version_info[:2] >= _LEAST_PYTHON
    return Finding("python", "ok" if good else "failed", text, "" if good else "use Python 3.11 or newer")


def _library(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "warning", "importable, but not installed as a distribution", f"pip install {name}")


def _sqlite() -> Finding:
    import apsw

    text: str = apsw.sqlite_lib_version()
    if sqlite_is_sound(tuple(int(part) for part in text.split("."))):
        return Finding("sqlite", "ok", f"{text}, free of the WAL-reset race")
    return Finding("sqlite", "failed", f"{text} has the WAL-reset race", "pip install -U apsw")


def _extras() -> Iterator[Finding]:
    """Each extra by what the installed package says it needs."""
    try:
        wanted = distribution("headwater").requires or []
    except PackageNotFoundError:
        return
    extras: dict[str, list[str]] = {}
    for line in wanted:
        package = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if package and extra and package[0] != "headwater":
            extras.setdefault(extra[1], []).append(package[0])
    for name, packages in extras.items():
        missing = [package for package in packages if not _installed(package)]
        if missing:
            yield Finding(f"[{name}]", "note", f"missing: {', '.join(missing)}", f"pip install 'headwater[{name}]'")
        else:
            yield Finding(f"[{name}]", "ok", ", ".join(packages))


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


async def _backend_findings(url: str) -> list[Finding]:
    if url.startswith("sqlite:"):
        return _file_findings(url)
    return await _server_findings(url) if url.startswith(("postgresql:", "postgres:")) else []


def _file_findings(url: str) -> list[Finding]:
    from headwater.backends.sqlite.integrity import file_facts

    facts = file_facts(url)
    journal_good = facts.journal_mode == "wal"
    room_good = facts.free_bytes > _LEAST_FREE_BYTES
    return [
        Finding(
            "file",
            "ok",
            f"{facts.path}, {_mebibytes(facts.file_bytes)} + {_mebibytes(facts.wal_bytes)} write-ahead log",
        ),
        Finding(
            "journal mode",
            "ok" if journal_good else "warning",
            facts.journal_mode,
            "" if journal_good else "open it once for writing",
        ),
        Finding("synchronous", "ok" if facts.synchronous == "FULL" else "warning", facts.synchronous),
        Finding(
            "schema version",
            "ok" if facts.schema_version == facts.known_version else "failed",
            str(facts.schema_version),
        ),
        Finding(
            "disk free",
            "ok" if room_good else "warning",
            _mebibytes(facts.free_bytes),
            "" if room_good else "free disk space",
        ),
        Finding(
            "permissions",
            "ok" if facts.writable else "warning",
            facts.permissions,
            "" if facts.writable else "chown or chmod it",
        ),
    ]


async def _server_findings(url: str) -> list[Finding]:
    from headwater.backends.postgres.integrity import server_facts

    facts = await server_facts(url)
    new_enough = facts.major_version >= _OLDEST_POSTGRES
    isolation_good = facts.isolation == "read committed"
    may = "may append" if facts.may_append else "may only read"
    return [
        Finding(
            "server",
            "ok" if new_enough else "warning",
            f"PostgreSQL {facts.server_version}{', a replica' if facts.is_replica else ''}",
            "" if new_enough else f"use PostgreSQL {_OLDEST_POSTGRES} or newer",
        ),
        Finding(
            "fsync",
            "ok" if facts.is_durable else "warning",
            "on" if facts.is_durable else "fsync or full_page_writes is off: a crash may damage the database",
            "" if facts.is_durable else "switch both on in postgresql.conf",
        ),
        Finding(
            "isolation",
            "ok" if isolation_good else "failed",
            facts.isolation,
            "" if isolation_good else "set default_transaction_isolation to 'read committed'",
        ),
        Finding(
            "schema version",
            "ok" if facts.schema_version == facts.known_version else "failed",
            str(facts.schema_version),
            "" if facts.schema_version == facts.known_version else "headwater migrate URL",
        ),
        Finding("role", "ok" if facts.may_append else "note", f"{facts.role_name} {may}"),
    ]


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"
