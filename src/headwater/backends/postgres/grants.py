"""The SQL that separates the roles of the database: who appends, who projects, who answers queries.

It is made from the URLs and the roles' names alone, without a connection, so that it can be read before it is run.
Whoever owns the schemas runs it, after each migration. Reads: connection.py, row_connections.py. Read next:
cli/verbs/grants.py.
"""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import unquote, urlsplit

import msgspec

from headwater.backends.postgres.connection import PostgresLog, without_password
from headwater.backends.postgres.row_connections import RowServer, read_store_beside
from headwater.backends.postgres.schema import quoted
from headwater.errors import UnsupportedUrl

_SCHEMES = {"postgres", "postgresql"}
_LONGEST_NAME = 63


class Roles(msgspec.Struct, frozen=True):
    """The names of the three roles. ``faults`` says what is wrong with them."""

    writer: str = "headwater_writer"
    projector: str = "headwater_projector"
    reader: str = "headwater_reader"

    def names(self) -> tuple[str, str, str]:
        """All three."""
        return self.writer, self.projector, self.reader

    def faults(self, owner: str | None) -> list[str]:
        """Names that are none, one name for two roles, or the owner's: revoking from the owner would lock it out."""
        names = self.names()
        found = [
            f"{name!r} is no name of a role: it has 1 to {_LONGEST_NAME} bytes, and no $ or control characters"
            for name in names
            if not _is_name(name)
        ]
        if len(set(names)) < len(names):
            found.append(f"the roles must be three, not {', '.join(names)}")
        if owner in names:
            found.append(f"{owner!r} is who connects and makes the tables; an application's role is another one")
        return found


class Script(msgspec.Struct, frozen=True):
    """Statements for one database: ``where`` is its URL without password, ``text`` has them with their comments."""

    where: str
    text: str

    @property
    def statements(self) -> list[str]:
        """One by one, without the comments."""
        lines = (line for line in self.text.splitlines() if not line.startswith("--"))
        return [each.strip() for each in "\n".join(lines).split(";\n") if each.strip()]


def grants(url: str, roles: Roles, *, read_store: str | None = None) -> list[Script]:
    """What to run: one script, or two where the read store (default: beside the log) is in a database of its own.

    A read store that is not in PostgreSQL has no roles, so there is no script for it. Raises ``UnsupportedUrl`` for a
    log that is not in PostgreSQL, ``ValueError`` for names that cannot be roles.
    """
    if _scheme(url) not in _SCHEMES:
        shown = without_password(url)
        remedy = "a log in SQLite is protected by the permissions of its file"
        raise UnsupportedUrl(f"{shown!r} is not in PostgreSQL, and has no roles", remedy=remedy, url=shown)
    log = PostgresLog.of_url(url)
    user = urlsplit(url).username
    if faults := roles.faults(unquote(user) if user else None):
        raise ValueError("; ".join(faults))
    rows_url = read_store or read_store_beside(url)
    names = {"log": quoted(log.schema), **{name: quoted(getattr(roles, name)) for name in roles.__struct_fields__}}
    makers = [_filled("make_role", role=quoted(name), literal=_literal(quoted(name))) for name in roles.names()]
    makers[1:] = [each.partition("\n")[2] for each in makers[1:]]  # the comment stands once
    event_log = _filled("grant_event_log", **names)
    if _scheme(rows_url) not in _SCHEMES:
        return [_script(url, *makers, event_log)]
    read_tables = _filled("grant_read_store", rows=quoted(RowServer.of_url(rows_url).schema), **names)
    if _database(url) == _database(rows_url):
        return [_script(url, *makers, event_log, read_tables)]
    return [_script(url, *makers, event_log), _script(rows_url, *makers, read_tables)]


def _script(url: str, *parts: str) -> Script:
    """The parts as one transaction."""
    return Script(without_password(url), "".join(("BEGIN;\n", *parts, "COMMIT;\n")))


def _filled(name: str, **values: str) -> str:
    """The text of ``sql/<name>.sql`` with its comments, and these names in it."""
    text = files("headwater.backends.postgres").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _is_name(name: str) -> bool:
    return 0 < len(name.encode()) <= _LONGEST_NAME and name.isprintable() and "$" not in name and ";" not in name


def _scheme(url: str) -> str:
    return url.partition(":")[0]


def _database(url: str) -> tuple[str | None, int | None, str]:
    parts = urlsplit(url)
    return parts.hostname, parts.port, parts.path
