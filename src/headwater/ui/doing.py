"""The form of a command: filled in, sent once, and told what is wrong with it. Reads: site.py, offered.py.

Read next: door.py. What was entered stays until the command is carried out; then the browser is led on, to a page that
has the change in it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from headwater.errors import (
    ExpectationFailed,
    FieldError,
    Forbidden,
    HeadwaterError,
    IdempotencyMismatch,
    InvalidMessage,
    Refused,
)
from headwater.http.faults import NothingHere
from headwater.http.options import Caller
from headwater.http.problems import problem_of
from headwater.messages import Command, Receipt, contract_of
from headwater.ui.controls import form_of
from headwater.ui.entered import Entered, entered_of, values_of
from headwater.ui.inputs import Input
from headwater.ui.offered import offers_of, text_of_key
from headwater.ui.site import Place, Site, entered_in, link_to, position_of, posted_in, problem_text
from headwater.ui.sitemap import Task

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}")
_OWN = ("_token", "_key", "_expect", "_from", "_add", "_remove")
_STALE = "This form was open for too long, or was not made for you. Nothing was done; send it again."


async def task_page(site: Site, request: Request) -> Response:
    """Show the form of a command, or carry it out."""
    task = _known_task(site, request.path_params["name"])
    doing = _Doing(site, request, task, await site.caller(request))
    if request.method == "POST":
        return await doing.send(await posted_in(request, site.http.max_body_bytes))
    return await doing.begin(entered_in(request))


def _known_task(site: Site, name: str) -> Task:
    task = site.map.tasks.get(name)
    if task is None:
        site.runtime.catalogue.command_type(name)
        raise NothingHere(f"there is no page for {name}")
    return task


class _Terms(msgspec.Struct, frozen=True):
    """What a form carries besides its fields: its key, the position it was made at, and where it leads back to."""

    key: str
    expect: str
    place: str


class _Doing:
    """One request for the form of a command."""

    def __init__(self, site: Site, request: Request, task: Task, caller: Caller) -> None:
        self._site = site
        self._request = request
        self._task = task
        self._caller = caller
        self._base: str = request.scope.get("root_path", "")
        self._session = site.tickets.session(request)

    async def begin(self, entered: Entered) -> Response:
        """The empty form, or what the address fills in already; the reason instead if it is not on offer."""
        given = Entered(pair for pair in entered.pairs if pair[0] not in _OWN)
        initial = entered_of(self._task.inputs)
        whole = Entered((*(pair for pair in initial.pairs if pair[0] not in given), *given.pairs))
        terms = _Terms(secrets.token_urlsafe(18), entered.one("_expect"), entered.one("_from"))
        return self._form(200, whole, terms, reason=await self._reason(given))

    async def _reason(self, given: Entered) -> str | None:
        """Why the command is not on offer. Only who may see the state is told: here, where everybody may."""
        if self._site.runtime.app.authorise is not None:
            return None
        keys = {field: given.one(name) for field, name in self._task.keys.items() if given.one(name)}
        offers = await offers_of(self._site, self._task, keys)
        return None if offers is None else offers.of(self._task.command).reason

    async def send(self, posted: Entered) -> Response:
        """Carry the command out, and lead on; or the form again with what is wrong with it."""
        entered = posted.without(*_OWN)
        terms = _Terms(posted.one("_key"), posted.one("_expect"), posted.one("_from"))
        if posted.one("_add") or posted.one("_remove"):
            return self._form(200, changed(self._task.inputs, posted), terms)
        if not self._site.tickets.holds(posted.one("_token"), self._session, self._caller.actor):
            return self._form(403, entered, terms, message=_STALE)
        try:
            command = self._command(entered)
            receipt = await self._execute(command, posted)
        except InvalidMessage as error:
            return self._form(problem_of(error).status, entered, terms, errors=error.errors)
        except HeadwaterError as error:
            return self._refused(error, entered, terms)
        return self._lead_on(command, receipt, posted.one("_from"))

    def _command(self, entered: Entered) -> Command:
        found = values_of(self._task.inputs, entered)
        codec, name = self._site.runtime.codec, contract_of(self._task.command).name
        known = {each.name for each in self._task.inputs}
        unknown = {
            name: text for name, text in entered.pairs if name.partition(".")[0].removesuffix("~none") not in known
        }
        try:
            command = codec.decode_parameters(self._task.command, {**unknown, **found.values})
        except InvalidMessage as error:
            unread = {fault.pointer for fault in found.faults}
            raise InvalidMessage(
                name, (*found.faults, *(fault for fault in error.errors if fault.pointer not in unread))
            ) from error
        if found.faults:
            raise InvalidMessage(name, found.faults)
        return command

    async def _execute(self, command: Command, posted: Entered) -> Receipt:
        key = posted.one("_key")
        return await self._site.runtime.execute(
            command,
            expect=position_of(posted.one("_expect")),
            idempotency_key=key if _KEY.fullmatch(key) else None,
            actor=self._caller.actor,
            tenant=self._caller.tenant,
        )

    def _refused(self, error: HeadwaterError, entered: Entered, terms: _Terms) -> Response:
        status = problem_of(error).status
        if isinstance(error, ExpectationFailed):
            terms = msgspec.structs.replace(terms, expect=str(error.fields["actual"]))
            return self._form(status, entered, terms, conflict=error)
        if isinstance(error, IdempotencyMismatch):
            terms = msgspec.structs.replace(terms, key=secrets.token_urlsafe(18))
        return self._form(status, entered, terms, problem=error)

    def _lead_on(self, command: Command, receipt: Receipt, place: str) -> Response:
        """To where the form came from, else to the page of what it was about, else to the start."""
        told = [("_done", self._task.name), ("_position", str(receipt.position))]
        told += [("_replayed", "1")] if receipt.replayed else []
        about, back = self._about(command), self._site.place(place)
        if about is not None and back is not None and back != about:
            told.append(("_about", link_to("", *about).lstrip("/")))
        path, pairs = back or about or ("", [])
        return RedirectResponse(link_to(self._base, path, [*pairs, *told]), 303, {"cache-control": "no-store"})

    def _about(self, command: Command) -> Place | None:
        """The page of what a command was about, if there is one."""
        keys = {field: text_of_key(getattr(command, field)) for field in self._task.keys}
        detail = self._site.map.detail_of(keys) if keys else None
        if detail is None:
            return None
        return f"queries/{detail.name}", [(name, keys[field]) for field, name in detail.keys.items()]

    def _inputs(self, terms: _Terms) -> list[Input]:
        """The inputs; what the form is about stays as it is, if the form was made where that was to be seen."""
        about = set(self._task.keys.values()) if terms.expect else set[str]()
        return [locked(each) if each.name in about else each for each in self._task.inputs]

    def _form(
        self,
        status: int,
        entered: Entered,
        terms: _Terms,
        *,
        errors: Sequence[FieldError] = (),
        message: str = "",
        reason: str | None = None,
        problem: HeadwaterError | None = None,
        conflict: ExpectationFailed | None = None,
    ) -> Response:
        back = self._site.place(terms.place)
        tickets = self._site.tickets
        response = self._site.pages.page(
            self._request,
            "task.html",
            status,
            task=self._task,
            form=form_of(self._inputs(terms), entered, errors),
            token=tickets.token(self._session, self._caller.actor),
            terms=terms,
            back=None if back is None else link_to(self._base, *back),
            message=message,
            reason=reason,
            refusal=problem_text(problem) if problem else None,
            is_rule=isinstance(problem, Refused | Forbidden),
            conflict=conflict,
        )
        tickets.keep(self._session, self._request, response)
        return response


def locked(each: Input) -> Input:
    """The same input, to be read only."""
    return msgspec.structs.replace(each, attributes={**each.attributes, "readonly": "readonly"})


def changed(inputs: Sequence[Input], posted: Entered) -> Entered:
    """What was entered with one row or value more, or one less."""
    entered = posted.without(*_OWN)
    added, removed = posted.one("_add"), posted.one("_remove")
    if removed:
        name, _, row = removed.rpartition(".")
        return Entered(pair for pair in entered.pairs if pair != (name, row) and not pair[0].startswith(f"{removed}."))
    several = _input_at(inputs, added)
    if several is None or several.kind != "rows":
        return Entered((*entered.pairs, (added, "")))
    rows = [int(row) for row in entered.all(added) if position_of(row) is not None]
    number = max(rows, default=-1) + 1
    usual = ((f"{added}.{number}.{name}", text) for name, text in entered_of(several.inner).pairs)
    return Entered((*entered.pairs, (added, str(number)), *usual))


def _input_at(inputs: Sequence[Input], name: str) -> Input | None:
    """The input of that name in a form; the numbers of rows are passed over."""
    first, _, rest = name.partition(".")
    if first.isdecimal():
        return _input_at(inputs, rest)
    found = next((each for each in inputs if each.name == first), None)
    return _input_at(found.inner, rest) if found is not None and rest else found
