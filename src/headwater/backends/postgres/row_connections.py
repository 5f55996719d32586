"""Where a read store is, and how its connections are set: some write, more cannot. Reads: connection.py.

Readers are read-only in the server's eyes, whatever a query tries. Writers wait for the disk, unlike those of SQLite: a
server may crash while its clients live on, which would not notice that rows they have seen are gone.
Read next: row_pool.py.
"""

from __future__ import annotations

from math import inf
from typing import Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

from headwater.backends.postgres.connection import Durability, address_and_options, check_schema_name, without_password
from headwater.backends.postgres.driver import DRIVER_OPTIONS
from headwater.errors import UnsupportedUrl
from headwater.read_store.statements import quoted

_LONGEST_PAUSE = "5s"
"""A process that is stopped in the middle of a commit holds locks that others wait for: the server breaks it off."""
_SETTINGS = {
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
}


class RowServer(msgspec.Struct, frozen=True, kw_only=True):
    """Which database and schema, as whom, and over how many connections.

    ``role`` is taken on by all connections, ``reader_role`` by those of queries. There are at most ``pool_size`` of
    these, and ``write_pool_size`` that fill tables. A query fails if it finds none free for ``pool_timeout`` seconds,
    and is broken off if it runs for longer than ``statement_timeout`` seconds (0: never). A statement that fills tables
    counts as lost after ``timeout`` seconds. Other processes are told of commits, and take silence for news each
    ``poll`` seconds; with ``notify=off`` there is silence. With ``relaxed`` durability a crash of the server may take
    back the last commits, rows and checkpoint together; they are projected again when the next event comes, or at the
    next start.
    """

    address: str
    schema: str = "headwater_read"
    role: str = ""
    reader_role: str = ""
    pool_size: int = 8
    write_pool_size: int = 4
    pool_timeout: float = 10.0
    statement_timeout: float = 60.0
    timeout: float = 60.0
    durability: Durability = "full"
    poll: float = 0.25
    notify: Literal["on", "off"] = "on"

    @classmethod
    def of_url(cls, url: str) -> RowServer:
        """``postgresql://user@host/database?schema=rows``, with the driver's own options. Raises ``UnsupportedUrl``."""
        address, made = address_and_options(url, _OPTIONS)
        try:
            server = msgspec.convert({"address": address, **made}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise _refused(
                url, f"has a bad option: {error}", "pool sizes are whole numbers, times are seconds"
            ) from None
        check_schema_name(server.schema, without_password(url))
        if (
            min(server.pool_size, server.write_pool_size) < 1
            or not (0 < server.pool_timeout < inf and 0 < server.poll < inf and 0 < server.timeout < inf)
            or not 0 <= server.statement_timeout < inf
        ):
            raise _refused(
                url, "has an option out of bounds", "there is at least one connection, and times are above 0 and finite"
            )
        return server

    @property
    def place(self) -> str:
        """What errors call it: without a password."""
        return f"{without_password(self.address)} (schema {self.schema})"

    @property
    def reading(self) -> dict[str, str]:
        """The settings of connections that cannot write."""
        made = {**self._settings(self.reader_role or self.role), "default_transaction_read_only": "on"}
        if self.statement_timeout:
            made["statement_timeout"] = f"{int(self.statement_timeout * 1000)}ms"
        return made

    @property
    def reading_seconds(self) -> float | None:
        """When the server has broken a query off without being heard: then it does not answer any more."""
        return self.statement_timeout + self.pool_timeout if self.statement_timeout else None

    @property
    def writing(self) -> dict[str, str]:
        """The settings of connections that fill tables."""
        made = self._settings(self.role)
        made["idle_in_transaction_session_timeout"] = _LONGEST_PAUSE
        return {**made, "synchronous_commit": "on" if self.durability == "full" else "off"}

    def _settings(self, role: str) -> dict[str, str]:
        made = {**_SETTINGS, "search_path": quoted(self.schema)}
        return {**made, "role": role} if role else made


def read_store_beside(url: str) -> str:
    """The URL of the read store of a log: the same database, in a schema of its own beside the log's."""
    base, _, query = url.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    kept = {name: value for name, value in options.items() if name in DRIVER_OPTIONS}
    if "schema" in options:
        kept["schema"] = f"{options['schema']}_read"
    return f"{base}?{urlencode(kept)}" if kept else base


def _refused(url: str, fault: str, remedy: str) -> UnsupportedUrl:
    shown = without_password(url)
    return UnsupportedUrl(f"{shown!r} {fault}", remedy=remedy, url=shown)


_OPTIONS = tuple(name for name in RowServer.__struct_fields__ if name != "address")
