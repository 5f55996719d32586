"""A process that appends and projects until it is killed: ``python -m tests.campaigns.projecting DIRECTORY SEED``."""

from __future__ import annotations

import asyncio
import random
import sys

from tests.accounts import Balances, Closed, Deposited, Entries, Moved, Opened, bank


def some_event(chance):
    """Any event of a few accounts."""
    one, other = (f"a{chance.randrange(30)}" for _ in range(2))
    kinds = (
        lambda: Opened(account=one),
        lambda: Deposited(account=one, amount=chance.randrange(100)),
        lambda: Moved(source=one, target=other, amount=chance.randrange(100)),
        lambda: Closed(account=one),
    )
    return chance.choices(kinds, weights=(1, 5, 5, 1))[0]()


def stores(directory):
    """The URLs of a log and a read store in that directory."""
    return {"events": f"sqlite:///{directory}/log.db", "rows": f"sqlite:///{directory}/rows.db"}


async def main(directory, seed):
    """Append in small and large batches, and say how far the projections are."""
    chance = random.Random(seed)
    async with bank(Balances, Entries, **stores(directory)) as desk:
        while True:
            await desk.append(*(some_event(chance) for _ in range(chance.choice((1, 3, 40, 400)))))
            sys.stdout.write(f"{desk.progress.position(['Balances', 'Entries'])}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
