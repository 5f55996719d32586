"""Commands over HTTP, against a bare ASGI hello on uvicorn: its own protocol class there, that of ``serve`` here.

Reads: wire.py, served.py. Read next: footprint.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import msgspec

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import fresh
from headwater.bench.logs import copied, fill_with_orders, log_url
from headwater.bench.payload import EVENTS_PER_ORDER
from headwater.bench.processes import free_port, python, serving
from headwater.bench.served import CREDENTIALS
from headwater.bench.timing import run

_CONNECTIONS = 64
_SECONDS = 1.2
_ORDERS = 4096
_SERVER = (sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--no-access-log", "--factory")
_OWN = "httptools"
_OURS = "headwater.http.direct:CommandProtocol"
"""Protocol classes: uvicorn's own for the bare application, and for commands what ``headwater serve`` gives it."""

HELLO = "hello"
NO_LOAD = "HTTP commands that load nothing"
WARM = "HTTP commands, warm"
KNOWN = "HTTP commands, warm, callers known by a token"
COLD = "HTTP commands, cold"


class _Seen(msgspec.Struct):
    rate: float
    failures: list[str]
    details: dict[str, float]


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    missing = [name for name in ("starlette", "uvicorn", "uvloop", "httptools") if find_spec(name) is None]
    if missing:
        yield Plan(cases=(), targets=_TARGETS, absent=(f"no {', '.join(missing)}: pip install 'headwater[web]'",))
        return
    with fresh(settings.directory) as template:
        orders = settings.count(_ORDERS, least=_CONNECTIONS)
        run(fill_with_orders(log_url(template), orders, EVENTS_PER_ORDER - 1))
        yield Plan(cases=tuple(_cases(settings, template, orders)), targets=_TARGETS)


def _cases(settings: Settings, template: Path, orders: int) -> Iterator[Case]:
    floor = f"uvicorn (uvloop, httptools), {_CONNECTIONS} connections"
    ours = f"the same with the protocol class of `headwater serve`, {_CONNECTIONS} connections"
    load = "loaded from the log each time, cache off"
    add = "/commands/add-line"
    kinds = (
        (HELLO, "hello", "/", 0, "a bare ASGI app that decodes the command and answers with its id"),
        (NO_LOAD, "commands", "/commands/record-line", 0, "decode, validate, decide, durable append"),
        (WARM, "commands", add, 10_000, "the same with a condition, on a cached state"),
        (KNOWN, "commands_by_token", add, 10_000, "the same; `authenticate` looks for who shows that token"),
        (COLD, "commands", add, 0, f"as warm ones, with about 10 events {load}"),
    )
    for name, factory, path, cache, does in kinds:
        measure = partial(_served, settings, template, factory, path, orders, cache)
        kind, traffic = ("floor", floor) if name == HELLO else ("headwater", ours)
        made = Case(name=name, kind="headwater", unit="request/s", does=f"{traffic}: {does}", measure=measure)
        yield msgspec.structs.replace(made, kind=kind)


def _served(settings: Settings, template: Path, factory: str, path: str, orders: int, cache: int) -> Sample:
    port = free_port()
    way = ("--http", _OWN if factory == "hello" else _OURS, "--log-level", "error", "--port", str(port))
    command = (*_SERVER, *way, f"headwater.bench.served:{factory}")
    with copied(template, settings.directory) as directory:
        environment = {"HEADWATER_BENCH_URL": log_url(directory), "HEADWATER_BENCH_CACHE": str(cache)}
        with serving(command, port, environment):
            words = (str(port), str(_CONNECTIONS), str(settings.seconds(_SECONDS)), path, str(orders))
            shown = (CREDENTIALS,) if factory == "commands_by_token" else ()
            printed = python("-m", "headwater.bench.wire", *words, *shown)
    seen = msgspec.json.decode(printed, type=_Seen)
    if seen.failures:
        raise RuntimeError(f"the server answered: {seen.failures[0]}")
    if not seen.rate:
        raise RuntimeError("the server did not answer")
    return Sample(seen.rate, seen.details)


_TARGETS = (
    Target(figure=NO_LOAD, against=(HELLO,), limit=0.5),
    Target(figure=WARM, against=(HELLO,), limit=0.43),
    Target(figure=KNOWN, against=(HELLO,)),
    Target(figure=COLD, against=(HELLO,), limit=0.43),
)

SERVE = Group(name="serve", title="Commands over HTTP", plan=_plan)
