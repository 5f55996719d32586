"""Whether another process has committed rows. Reads: bell.py, row_connections.py. Read next: read_store.py."""

from __future__ import annotations

from itertools import count

from headwater.backends.postgres.bell import Bell
from headwater.backends.postgres.driver import Connection, connect
from headwater.backends.postgres.row_connections import RowServer
from headwater.read_store.news import Stirred


class RowNews(Stirred):
    """See ``News``. It listens from the first question on, and takes silence for news each ``poll`` seconds."""

    def __init__(self, server: RowServer) -> None:
        super().__init__()
        self._server = server
        self._commits = count(1)
        self._bell = Bell(self._connect, server.schema, poll=server.poll, notify=server.notify == "on")

    def tell(self) -> None:
        """To others, and to who watches here: there was a commit."""
        self.stir()
        self._bell.ring(str(next(self._commits)))

    def heard(self) -> bool:
        """See ``News.heard``."""
        if not self._bell.is_watched:
            self._bell.watch(self._look, lambda _: self.stir())
        return super().heard()

    async def close(self) -> None:
        """Tell of the last commit if that is due, and end."""
        await self._bell.close()
        self.stir()

    async def _look(self) -> None:
        self.stir()

    async def _connect(self) -> Connection:
        server = self._server
        return await connect(
            server.address, {}, statement_cache_size=0, timeout=server.pool_timeout, command_timeout=server.timeout
        )
