"""`eventsource-py` on SQLite: an asynchronous event sourcing library on pydantic. Reads: timing.py.

One task drives it: its SQLite store holds one connection, and more tasks do not make it faster.
"""

from __future__ import annotations

import logging
import types
from functools import cache
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

from headwater.bench.figures import Sample
from headwater.bench.floors import fresh
from headwater.bench.payload import EVENTS_PER_ORDER, LINE
from headwater.bench.timing import rate_of_clients
from headwater.ids import uuid7


async def commands(parent: Path, seconds: float, orders: int) -> Sample:
    """Commands per second: load an aggregate of about ten events, add a line, save."""
    logging.getLogger("eventsource").setLevel(logging.CRITICAL)
    eventsource: Any = import_module("eventsource")
    sqlite: Any = import_module("eventsource.adapters.sqlite.store")
    with fresh(parent) as directory:
        store = sqlite.SQLiteEventStore(str(directory / "peer.db"))
        repository = eventsource.AggregateRepository(store, _order_class(eventsource), enable_tracing=False)
        made: list[Any] = []
        for _ in range(orders):
            order = repository.create_new(uuid7())
            for _ in range(EVENTS_PER_ORDER - 1):
                order.add_line()
            await repository.save(order)
            made.append(order.aggregate_id)
        turns = cycle(made)

        async def step() -> None:
            order = await repository.load(next(turns))
            order.add_line()
            await repository.save(order)

        try:
            return await rate_of_clients(1, seconds, lambda _client: step)
        finally:
            await store.close()


@cache
def _order_class(eventsource: Any) -> Any:
    """The classes that a user of the library would write, made once: the library registers event names globally."""
    pydantic: Any = import_module("pydantic")
    event_fields = {"event_type": (str, "LineAdded"), "aggregate_type": (str, "Order")}
    line_fields: dict[str, Any] = {name: (type(value), ...) for name, value in LINE.items()}
    event: Any = pydantic.create_model("LineAdded", __base__=eventsource.DomainEvent, **event_fields, **line_fields)
    eventsource.register_event(event)
    state: Any = pydantic.create_model("OrderState", lines=(int, 0), total=(int, 0))

    def initial(_self: Any) -> Any:
        return state()

    def apply(self: Any, happened: Any) -> None:
        before = self._state or state()
        self._state = state(lines=before.lines + 1, total=before.total + happened.quantity * happened.price)

    def add_line(self: Any) -> None:
        version = self.get_next_version()
        self.apply_event(event(aggregate_id=self.aggregate_id, aggregate_version=version, **LINE))

    body = {"aggregate_type": "Order", "_get_initial_state": initial, "_apply": apply, "add_line": add_line}
    base = eventsource.AggregateRoot[state]
    return types.new_class("Order", (base,), {}, lambda space: space.update(body))
