"""A server that does not answer any more, though its connections stand: nobody waits for it without end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.accounts import Balance, Balances, Deposited, bank
from tests.servers.postgres import served

from headwater.errors import QueryTooSlow, StoreBusy
from headwater.limits import Limits, Terms, begin_query, end_query


async def test_what_waits_for_a_silent_server_is_told_so_and_goes_on_afterwards():
    """Rows by key and by search, the end of the log, leases, commits: all of it, in bounded time."""
    with served() as server:
        async with AsyncExitStack() as stack:
            url = server.fresh_database()
            rows = f"{url}?timeout=0.5&statement_timeout=0.5&pool_timeout=0.5"
            here = await stack.enter_async_context(bank(Balances, events=f"{url}?timeout=0.5", rows=rows))
            await here.append(Deposited(account="a", amount=1))
            await here.caught_up()
            reader = here.rows.reader(Balance)
            await asyncio.gather(reader.get("a"), reader.get("a"), reader.get("a"))  # so many connections are there
            with server.silent():
                async with asyncio.timeout(20):
                    waiting = (_briefly(reader), reader.get("a"), reader.count(), here.rows.fleet(), here.events.head())
                    told = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(each) for each in told] == [QueryTooSlow] + [StoreBusy] * 4
            await here.append(Deposited(account="a", amount=2))
            await here.caught_up()
            assert (await reader.get("a")).amount == 3


async def _briefly(reader):
    """Read a row by its key as a query that may take little time."""
    token = begin_query(Terms(Limits(seconds=0.2)))
    try:
        return await reader.get("a")
    finally:
        end_query(token)
