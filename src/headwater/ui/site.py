"""What every page needs: the application, its pages, who asks. Reads: sitemap.py, rendering.py. Next: reading.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headwater.errors import MalformedMessage
from headwater.http.faults import BodyTooLarge, NothingHere, RequestFault
from headwater.http.options import NOBODY, Caller, HttpOptions, authenticate
from headwater.http.problems import Problem, problem_of
from headwater.plain import is_object
from headwater.runtime import Runtime
from headwater.ui.cells import Cells
from headwater.ui.entered import Entered
from headwater.ui.names import Labels, Names, words_of_name
from headwater.ui.options import UiOptions
from headwater.ui.rendering import Pages
from headwater.ui.sitemap import Listing, Sitemap, sitemap
from headwater.ui.tickets import Tickets

Place = tuple[str, list[tuple[str, str]]]
"""A path below the UI, and its parameters."""

_PLACE = re.compile(r"queries/([a-z0-9-]+)(?:\?(.*))?")
_MOST_FIELDS = 5_000
_LONGEST_POSITION = 18
_FORM = "application/x-www-form-urlencoded"


class NotAForm(RequestFault):
    """The body is no form."""

    status = 415
    code = "not-a-form"
    title = "Only forms are understood here"


class Notice(msgspec.Struct, frozen=True):
    """What a command has just done: its title, the position of its receipt, whether it had been done before.

    ``href`` leads to what it was about, where that is another page.
    """

    title: str
    position: int
    replayed: bool
    href: str | None


class Site:
    """One application's pages."""

    def __init__(self, runtime: Runtime, http: HttpOptions, options: UiOptions) -> None:
        self.runtime = runtime
        self.http = http
        self.options = options
        self.names = Names(options)
        self.map: Sitemap = sitemap(runtime, options)
        self.tickets = Tickets(runtime.read_store.cursor_key)
        title = options.title or words_of_name(runtime.app.name)
        menu = self.map.of_kind("list", "report", "other")
        self.pages = Pages(options, {"app_title": title, "menu": menu})

    async def caller(self, request: Request) -> Caller:
        """Who asks, as the HTTP door knows it. Raises what the application's hook raises."""
        hook = self.http.authenticate
        caller = NOBODY if hook is None else await authenticate(hook, request.scope)
        request.state.actor = caller.actor
        return caller

    def cells(self, request: Request, labels: Labels) -> Cells:
        """What makes cells for a page, with links to the pages of rows."""
        base = request.scope.get("root_path", "")

        def link(row: Any) -> str | None:
            listing = self.map.details.get(_model_of(type(row), self.map.details))
            return None if listing is None else _detail_link(base, listing, row)

        return Cells(labels, link)

    def notice(self, base: str, entered: Entered) -> Notice | None:
        """What the page is to say of a command that led here."""
        task, position = self.map.tasks.get(entered.one("_done")), position_of(entered.one("_position"))
        if task is None or position is None:
            return None
        about = self.place(entered.one("_about"))
        href = None if about is None else link_to(base, *about)
        return Notice(task.title, position, replayed=bool(entered.one("_replayed")), href=href)

    def place(self, text: str) -> Place | None:
        """A page of ours, if the text names one: nobody is led anywhere else."""
        found = _PLACE.fullmatch(text)
        if found is None or found[1] not in self.map.listings:
            return None
        return f"queries/{found[1]}", [pair for pair in parse_qsl(found[2] or "") if not pair[0].startswith("_")]

    def problem(self, request: Request, error: Exception) -> Response:
        """The page of an error."""
        problem = problem_of(error)
        response = self.pages.page(request, "problem.html", problem.status, problem=_words_of(problem))
        for name, value in problem.headers:
            response.headers[name.decode()] = value.decode()
        return response


def problem_text(error: Exception) -> dict[str, str]:
    """The words of an error, as the HTTP door says them: title, detail, remedy, code, status."""
    return _words_of(problem_of(error))


def _words_of(problem: Problem) -> dict[str, str]:
    found: Any = msgspec.json.decode(problem.body)
    told = found if is_object(found) else {}
    code = str(told.get("type", "")).rpartition(":")[2]
    words = {name: str(told.get(name, "")) for name in ("title", "detail", "remedy", "status")}
    return {**words, "code": str(told.get("code", code))}


def position_of(text: str) -> int | None:
    """A position, if the text is one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_POSITION else None


def entered_in(request: Request) -> Entered:
    """What the address says."""
    return Entered(_pairs(request.scope["query_string"]))


async def posted_in(request: Request, limit_bytes: int) -> Entered:
    """What a form says. Raises ``NotAForm``, ``BodyTooLarge`` or ``MalformedMessage``."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise NotAForm(f"the content type must be {_FORM}")
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        length += len(part)
        if length > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        parts.append(part)
    return Entered(_pairs(b"".join(parts)))


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise MalformedMessage(f"what was sent cannot be read: {error}") from error


def link_to(base: str, path: str, pairs: Iterable[tuple[str, object]]) -> str:
    """An address below the UI with parameters."""
    text = urlencode([(name, str(value)) for name, value in pairs], quote_via=quote)
    return f"{base}/{path}?{text}" if text else f"{base}/{path}"


def known_listing(site: Site, name: str) -> Listing:
    """The query of that name. Raises ``UnknownMessage``, or ``NothingHere`` if it is hidden."""
    listing = site.map.listings.get(name)
    if listing is None:
        site.runtime.catalogue.query_type(name)
        raise NothingHere(f"there is no page for {name}")
    return listing


def _model_of(kind: Any, details: Mapping[Any, Listing]) -> Any:
    """The model of a row's class: itself, or the one of which it has some fields only."""
    return next((each for each in kind.__mro__ if each in details), None)


def _detail_link(base: str, listing: Listing, row: Any) -> str | None:
    values = [(name, getattr(row, field, None)) for field, name in listing.keys.items()]
    if any(value is msgspec.UNSET or value is None for _, value in values):
        return None
    return link_to(base, f"queries/{listing.name}", [(key, getattr(value, "value", value)) for key, value in values])
