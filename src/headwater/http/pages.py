"""The side pages: index, contract, health. Reads: openapi.py, health.py. Read next: application.py."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from headwater.catalogue import Catalogue, spoken_name
from headwater.http.examples import example_of
from headwater.http.faults import MethodNotAllowed, NothingHere
from headwater.http.health import health_routes
from headwater.http.openapi import openapi_document
from headwater.http.options import HttpOptions
from headwater.http.problems import MEDIA_TYPE, problem_of
from headwater.messages import Message
from headwater.runtime import Runtime

_STRICT = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}
Endpoint = Callable[[Request], Awaitable[Response]]


def page_routes(runtime: Runtime, options: HttpOptions) -> list[Route]:
    """The routes of the side pages; without ``docs`` only the health check."""
    routes = health_routes(runtime, options)
    if options.docs:
        title = runtime.app.name
        catalogue = runtime.catalogue.only(commands=options.role != "query", queries=options.role != "command")
        routes += [
            Route("/", _fixed(_json(_index(title, catalogue)))),
            Route("/docs", _fixed(HTMLResponse(_contract_page(title, catalogue), headers=_STRICT))),
            Route("/openapi.json", _fixed(_json(openapi_document(title, catalogue, runtime.app.limits)))),
        ]
    return routes


async def problem_response(request: Request, error: Exception) -> Response:
    """The problem document of an error in a side page, Starlette's own included."""
    if isinstance(error, HTTPException):
        error = _fault_of(request, error)
    problem = problem_of(error)
    headers = {name.decode(): value.decode() for name, value in problem.headers}
    return Response(problem.body, problem.status, headers, MEDIA_TYPE.decode())


def _fault_of(request: Request, error: HTTPException) -> Exception:
    if error.status_code == MethodNotAllowed.status:
        allowed = (error.headers or {}).get("Allow", "GET")
        return MethodNotAllowed(request.method, sorted(allowed.split(", ")))
    if error.status_code == NothingHere.status:
        return NothingHere(f"{request.url.path} is not a resource", remedy="look at / for what there is")
    return error


def _fixed(response: Response) -> Endpoint:
    """A page that stays the same as long as the process lives."""

    async def page(_: Request) -> Response:
        return response

    return page


def _json(value: Any, status: int = 200) -> Response:
    headers = {"x-content-type-options": "nosniff"}
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def _index(title: str, catalogue: Catalogue) -> dict[str, Any]:
    def listed(folder: str, messages: Mapping[str, type[Message]]) -> list[dict[str, str]]:
        return [
            {"name": name, "href": f"{folder}/{spoken_name(name)}", "about": _summary(cls)}
            for name, cls in messages.items()
        ]

    return {
        "app": title,
        "commands": listed("commands", catalogue.commands),
        "queries": listed("queries", catalogue.queries),
        "openapi": "openapi.json",
        "docs": "docs",
        "health": "health/ready",
    }


def _contract_page(title: str, catalogue: Catalogue) -> str:
    """The contract for people: each command and query with a line that can be copied."""
    parts = [f"<h1>{escape(title)}</h1><p>Also as <a href='openapi.json'>OpenAPI 3.1</a>.</p><h2>Commands</h2>"]
    parts += [_entry("POST", "commands", name, cls) for name, cls in catalogue.commands.items()]
    parts.append("<h2>Queries</h2>")
    parts += [_entry("QUERY", "queries", name, cls) for name, cls in catalogue.queries.items()]
    style = (
        "body{font:1rem/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "pre{background:#f4f4f4;padding:.6rem;overflow:auto}"
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{style}</style>{''.join(parts)}</html>"
    )


def _entry(method: str, folder: str, name: str, cls: type[Any]) -> str:
    example = example_of(cls)
    body = json.dumps({} if example is None else example)
    anchor = spoken_name(name)
    line = f"curl -X {method} $URL/{folder}/{anchor} -H 'content-type: application/json' -d '{body}'"
    return f"<h3 id='{anchor}'>{escape(name)}</h3><p>{escape(_summary(cls))}</p><pre>{escape(line)}</pre>"


def _summary(cls: type[Any]) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]
