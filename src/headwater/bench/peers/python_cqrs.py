"""`python-cqrs`: a mediator that dispatches requests to handlers. Reads: timing.py."""

from __future__ import annotations

import dataclasses
import logging
import types
from importlib import import_module
from typing import Any

from headwater.bench.figures import Sample
from headwater.bench.payload import LINE
from headwater.bench.timing import rate_of_clients


async def dispatches(seconds: float) -> Sample:
    """Requests per second that one task sends to an empty handler, each made anew with the fields of a line."""
    logging.getLogger("cqrs").setLevel(logging.CRITICAL)
    cqrs: Any = import_module("cqrs")
    request_class = _request_class(cqrs)
    handler_class = _handler_class(cqrs, request_class)
    mediator: Any = import_module("cqrs.bootstrap.requests")
    container: Any = import_module("di").Container()

    def bind(mapper: Any) -> None:
        mapper.bind(request_class, handler_class)

    sender = mediator.bootstrap(di_container=container, commands_mapper=bind)
    return await rate_of_clients(1, seconds, lambda _client: lambda: sender.send(request_class(order_id="o-1", **LINE)))


def _request_class(cqrs: Any) -> Any:
    fields: dict[str, Any] = {"order_id": str, **{name: type(value) for name, value in LINE.items()}}
    return dataclasses.make_dataclass("DoNothing", fields.items(), bases=(cqrs.Request,))


def _handler_class(cqrs: Any, request_class: Any) -> Any:
    async def handle(_self: Any, request: Any) -> None:
        del request

    body = {"events": property(lambda _self: []), "handle": handle}
    base = cqrs.RequestHandler[request_class, None]
    return types.new_class("DoNothingHandler", (base,), {}, lambda space: space.update(body))
