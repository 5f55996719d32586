"""The page of a query: what to ask for, the answer, and what can be done then. Reads: site.py. Read next: doing.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headwater.errors import HeadwaterError, InvalidMessage, ProjectionBehind, QueryError, RowNotFound
from headwater.http.options import Caller
from headwater.http.problems import problem_of
from headwater.messages import Query, contract_of
from headwater.queries.asking import Answer
from headwater.read_models import PageRequest
from headwater.ui.cells import shape_of
from headwater.ui.controls import Form, form_of
from headwater.ui.entered import Entered, entered_of, values_of
from headwater.ui.offered import Offered, offered
from headwater.ui.results import Results, default_columns, results_of
from headwater.ui.site import Site, entered_in, known_listing, link_to, position_of, problem_text
from headwater.ui.sitemap import Listing, Task

_SORT, _FIELDS, _CURSOR, _SIZE, _TOTAL = "sort", "fields", "page.cursor", "page.size", "page.total"
_SORT_KEYS = 2


class Asked(msgspec.Struct, frozen=True):
    """What an address asks: the whole of it without what is the UI's own."""

    listing: Listing
    entered: Entered
    own: Entered

    @property
    def is_complete(self) -> bool:
        """Whether everything is there without which the query cannot be asked."""
        said = {name.partition(".")[0] for name, text in self.entered.pairs if text}
        return self.listing.needs <= said

    @property
    def sort(self) -> str:
        """The order that is asked for, else that of the query."""
        words = [word for word in self.entered.all(_SORT) if word.strip()]
        return ",".join(words) if _SORT in self.entered else self.listing.sort

    @property
    def fields(self) -> list[str]:
        """The fields that are asked for, if not all are."""
        return [name for text in self.entered.all(_FIELDS) for name in text.split(",") if name]


async def query_page(site: Site, request: Request) -> Response:
    """Show a list, a detail or a report; its form where something is missing or wrong."""
    listing = known_listing(site, request.path_params["name"])
    caller = await site.caller(request)
    asked = _asked(listing, entered_in(request))
    page = _Reading(site, request, caller, asked)
    return await page.answer()


def _asked(listing: Listing, entered: Entered) -> Asked:
    ours = [pair for pair in entered.pairs if pair[0].startswith("_")]
    theirs = [pair for pair in entered.pairs if not pair[0].startswith("_")]
    return Asked(listing, Entered(theirs), Entered(ours))


class _Reading:
    """One request for the page of a query."""

    def __init__(self, site: Site, request: Request, caller: Caller, asked: Asked) -> None:
        self._site = site
        self._request = request
        self._caller = caller
        self._asked = asked
        self._listing = asked.listing
        self._base: str = request.scope.get("root_path", "")
        self._behind = False

    async def answer(self) -> Response:
        listing, asked = self._listing, self._asked
        if not asked.is_complete:
            return self._page(200)
        try:
            query = self._query()
            answer = await self._ask(query)
        except InvalidMessage as error:
            return self._page(problem_of(error).status, form=self._form(error))
        except QueryError as error:
            return self._page(problem_of(error).status, problem=error)
        keys = {key: getattr(query, _field(query, key)) for key in listing.keys}
        status = 404 if answer.value is None and not self._behind else 200
        return self._page(status, answer=answer, tasks=await self._tasks(keys), keys=keys)

    async def _ask(self, query: Query[Any]) -> Answer[Any]:
        """The answer with what the reader has just changed in it, if it comes soon; else as it is now.

        A row that is not there is ``None``, however the query says it.
        """
        after = position_of(self._asked.own.one("_position"))
        try:
            return await self._answer(query, after)
        except ProjectionBehind:
            if after is None:
                raise
        self._behind = True
        return await self._answer(query, None)

    async def _answer(self, query: Query[Any], after: int | None) -> Answer[Any]:
        caller, wait_seconds = self._caller, self._site.options.wait_seconds
        try:
            return await self._site.runtime.answer(
                query, after=after, timeout=wait_seconds, actor=caller.actor, tenant=caller.tenant
            )
        except RowNotFound:
            return Answer(None, after or 0, 0.0)

    def _query(self) -> Query[Any]:
        """The query that the address says. Raises ``InvalidMessage`` with every fault."""
        listing, entered = self._listing, self._asked.entered
        found = values_of(listing.filters, entered, asking=True)
        values = found.values
        if listing.sortable and _SORT in entered:
            values[_SORT] = self._asked.sort
        if listing.page is not None:
            values |= {name: entered.one(name) for name in (_SIZE, _CURSOR, _TOTAL) if entered.one(name)}
        if listing.selects and self._asked.fields:
            values[_FIELDS] = [*dict.fromkeys((*self._keys_of_rows(), *self._asked.fields))]
        values |= {name: text for name, text in entered.pairs if text and not self._is_known(name)}
        if found.faults:
            raise InvalidMessage(contract_of(listing.query).name, found.faults)
        return self._site.runtime.codec.decode_query(listing.query, values)

    def _is_known(self, name: str) -> bool:
        own = {each.name for each in self._listing.filters} | {"page", _SORT, _FIELDS}
        return name.partition(".")[0] in own

    def _keys_of_rows(self) -> Iterable[str]:
        """A row's key is always read, because a link to its page needs it."""
        detail = next((each for model, each in self._site.map.details.items() if model is self._listing.row), None)
        return () if detail is None else detail.keys

    def _form(self, error: InvalidMessage | None = None) -> Form:
        entered = self._asked.entered
        initial = entered_of(self._listing.filters)
        shown = Entered((*(pair for pair in initial.pairs if pair[0] not in entered), *entered.pairs))
        return form_of(self._listing.filters, shown, error.errors if error else ())

    async def _tasks(self, keys: dict[str, Any]) -> list[Offered]:
        """What can be done with what a detail shows."""
        if not keys:
            return []
        return await offered(self._site, self._base, keys, self._place())

    def _begins(self) -> list[Task]:
        """The tasks that make what a list shows."""
        detail = self._site.map.details.get(self._listing.row) if self._listing.kind == "list" else None
        if detail is None:
            return []
        keys = set(detail.keys)
        return [task for task in self._site.map.tasks.values() if task.begins and set(task.keys) == keys]

    def _place(self) -> str:
        """Where this page is below the UI, without what it says only once."""
        return link_to("", f"queries/{self._listing.name}", self._asked.entered.pairs).lstrip("/")

    def _link(self, *left_out: str, **changes: object) -> str:
        kept = [pair for pair in self._asked.entered.pairs if pair[0] not in left_out and pair[0] not in changes]
        return link_to(self._base, f"queries/{self._listing.name}", [*kept, *changes.items()])

    def _page(
        self,
        status: int,
        *,
        answer: Answer[Any] | None = None,
        problem: HeadwaterError | None = None,
        form: Form | None = None,
        tasks: Sequence[Offered] = (),
        keys: dict[str, Any] | None = None,
    ) -> Response:
        listing, site = self._listing, self._site
        labels = site.names.labels(listing.query)
        cells = site.cells(self._request, labels)
        results: Results | None = None
        if answer is not None and answer.value is not None:
            results = results_of(listing, answer.value, cells, labels, self._columns(), self._asked.sort, self._link)
        return site.pages.page(
            self._request,
            "query.html",
            status,
            listing=listing,
            form=form or self._form(),
            shows_form=answer is None or listing.kind != "detail",
            results=results,
            answer=answer,
            problem=problem_text(problem) if problem else None,
            again=self._link(_CURSOR),
            reload=link_to(self._base, self._place(), self._asked.own.pairs),
            behind=self._behind,
            notice=site.notice(self._asked.own),
            tasks=tasks,
            begins=self._begins(),
            place=self._place(),
            subject=", ".join(str(getattr(value, "value", value)) for value in (keys or {}).values()),
            sorts=self._sorts(),
            size=self._asked.entered.one(_SIZE) or str((listing.page or PageRequest()).size),
            total=self._asked.entered.one(_TOTAL),
            columns=self._columns(),
            selectable=[(name, labels.of(name)) for name in _columns_of(listing)] if listing.selects else [],
            labels=labels,
        )

    def _sorts(self) -> list[str]:
        """What the order is chosen from holds now: the first keys, each with its direction."""
        words = [word.strip() for word in self._asked.sort.split(",") if word.strip()]
        return [*words, *[""] * _SORT_KEYS][:_SORT_KEYS]

    def _columns(self) -> list[str]:
        """The columns that are shown: those chosen, else those declared, else the first single values."""
        return (
            self._asked.fields
            or list(self._site.options.of(self._listing.query).columns)
            or default_columns(self._listing)
        )


def _columns_of(listing: Listing) -> list[str]:
    return [name for name, _ in shape_of(listing.row)] if listing.kind == "list" else []


def _field(query: Query[Any], encoded: str) -> str:
    """The field of that name in JSON."""
    return query.__struct_fields__[query.__struct_encode_fields__.index(encoded)]
