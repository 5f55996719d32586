"""The page of a query: its answer, its form, and what can be done then. Reads: asked.py. Read next: doing.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headwater.errors import InvalidMessage, ProjectionBehind, ProjectionError, QueryError, RowNotFound
from headwater.http.options import Caller
from headwater.http.problems import problem_of
from headwater.messages import Query
from headwater.queries.asking import Answer
from headwater.ui.asked import CURSOR, TOTAL, Asked, asked_in, query_of, shortest, usual_columns
from headwater.ui.cells import shape_of
from headwater.ui.controls import Form
from headwater.ui.offered import Offered, offered
from headwater.ui.results import results_of
from headwater.ui.site import Site, entered_in, known_listing, link_to, position_of, problem_text
from headwater.ui.sitemap import Task

_MOST_BUTTONS = 3


async def query_page(site: Site, request: Request) -> Response:
    """Show a list, a detail or a report; its form where something is missing or wrong."""
    listing = known_listing(site, request.path_params["name"])
    base = request.scope.get("root_path", "")
    caller, said = await site.caller(request), entered_in(request)
    telling = shortest(site, listing, said)
    if telling.pairs != said.pairs:  # a form without scripts says everything; the address is for passing on
        address = link_to(base, f"queries/{listing.name}", telling.pairs)
        return RedirectResponse(address, 303, {"cache-control": "no-store"})
    return await _Reading(site, request, caller, asked_in(listing, base, said)).respond()


class _Reading:
    """One request for the page of a query."""

    def __init__(self, site: Site, request: Request, caller: Caller, asked: Asked) -> None:
        self._site = site
        self._request = request
        self._caller = caller
        self._asked = asked
        self._late: ProjectionError | None = None

    async def respond(self) -> Response:
        """The answer if it can be asked for; else the form, with what is missing or wrong."""
        if not self._asked.is_complete:
            return self._page(200)
        try:
            query = query_of(self._site, self._asked)
            answer = await self._ask(query)
        except InvalidMessage as error:
            return self._page(problem_of(error).status, form=self._asked.form(error))
        except QueryError as error:
            return self._page(problem_of(error).status, problem=error)
        keys = {field: getattr(query, field) for field in self._asked.listing.keys}
        tasks = await offered(self._site, self._asked.base, keys, self._asked.place) if keys else []
        status = 404 if answer.value is None and self._late is None else 200
        return self._page(status, answer=answer, tasks=tasks, keys=keys)

    async def _ask(self, query: Query[Any]) -> Answer[Any]:
        """The answer with what the reader has just changed in it, if it comes soon; else as it is now."""
        after = position_of(self._asked.own.one("_position"))
        try:
            return await self._answer(query, after)
        except ProjectionError as error:
            if after is None:
                raise
            self._late = error
        return await self._answer(query, None)

    async def _answer(self, query: Query[Any], after: int | None) -> Answer[Any]:
        """A row that is not there is ``None``, however the query says it."""
        caller, wait_seconds = self._caller, self._site.options.wait_seconds
        try:
            return await self._site.runtime.answer(
                query, after=after, timeout=wait_seconds, actor=caller.actor, tenant=caller.tenant
            )
        except RowNotFound:
            return Answer(None, after or 0, 0.0)

    def _begins(self) -> list[Task]:
        """The tasks that make what a list shows, first those that surely do; the others stand on the start page."""
        listing = self._asked.listing
        detail = self._site.map.details.get(listing.row) if listing.kind == "list" else None
        if detail is None:
            return []
        tasks = [
            task for task in self._site.map.tasks.values() if task.begins and task.keys.keys() == detail.keys.keys()
        ]
        return sorted(tasks, key=lambda task: not task.has_rule)[:_MOST_BUTTONS]

    def _page(
        self,
        status: int,
        *,
        answer: Answer[Any] | None = None,
        problem: QueryError | None = None,
        form: Form | None = None,
        tasks: Sequence[Offered] = (),
        keys: Mapping[str, Any] | None = None,
    ) -> Response:
        asked, site, late = self._asked, self._site, self._late
        listing, form = asked.listing, form or asked.form()
        labels = site.names.labels(listing.query)
        cells = site.cells(self._request, labels)
        columns = asked.fields or usual_columns(site, listing)
        there = answer is not None and answer.value is not None
        return site.pages.page(
            self._request,
            "query.html",
            status,
            listing=listing,
            asked=asked,
            labels=labels,
            form=form,
            shows_form=answer is None or listing.kind != "detail",
            chosen=asked.chosen(form),
            columns=columns,
            selectable=[(name, labels.of(name)) for name, _ in shape_of(listing.row)] if listing.selects else [],
            total=asked.entered.one(TOTAL),
            answer=answer,
            results=results_of(listing, answer.value, cells, labels, columns, asked) if answer and there else None,
            problem=problem_text(problem) if problem else None,
            first=asked.link(CURSOR),
            notice=site.notice(asked.base, asked.own),
            late=problem_text(late) if late else None,
            catches_up=isinstance(late, ProjectionBehind),
            live=asked.changes(answer.position) if answer and asked.is_live else None,
            subject=", ".join(str(getattr(value, "value", value)) for value in (keys or {}).values()),
            tasks=[task for task in tasks if there or task.reason is None],
            begins=self._begins(),
            above=site.map.list_of(listing),
        )
