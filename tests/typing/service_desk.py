"""An application as the documentation writes one, in every form that is offered. Checked like public_face.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Protocol, assert_type

from msgspec.structs import replace

from headwater import (
    ALL,
    Aggregate,
    App,
    BlockingRuntime,
    Command,
    Contains,
    Event,
    EventQuery,
    Forbidden,
    In,
    Indexed,
    IsNull,
    Key,
    Meta,
    Now,
    Page,
    PageRequest,
    Prefix,
    Projection,
    Query,
    Range,
    Reader,
    ReadModel,
    Receipt,
    Recorded,
    Refused,
    Runtime,
    Sort,
    Tag,
    answers,
    contract,
    decide,
    evolve,
    handles,
    on,
    open_store,
    upcast,
)
from headwater.http import Caller, HttpOptions, Unauthenticated, asgi, create_app
from headwater.testing import scenario, strategies

IncidentId = Annotated[str, Tag("incident")]


class OpenIncident(Command):
    """A caller reports an incident."""

    incident_id: IncidentId
    caller: str
    impact: Annotated[int, Meta(ge=1, le=3)]


class ResolveIncident(Command):
    """It works again."""

    incident_id: IncidentId


class AskVendor(Command):
    """The vendor has to help."""

    incident_id: IncidentId


@contract("IncidentOpened", version=2, aliases=["Opened"])
class IncidentOpened(Event):
    """It was reported."""

    incident_id: IncidentId
    caller: str
    impact: int


class IncidentResolved(Event):
    """It was solved."""

    incident_id: IncidentId
    resolved_at: datetime


class VendorAsked(Event):
    """The vendor knows."""

    incident_id: IncidentId
    ticket: str


@upcast("IncidentOpened", from_version=1)
def impact_was_not_asked(stored: dict[str, Any]) -> dict[str, Any]:
    """The first version had none."""
    return {**stored, "impact": 3}


class Incident(Aggregate):
    """Every event tagged with its id."""

    snapshot_every = 100

    incident_id: IncidentId
    status: Literal["unknown", "open", "resolved", "closed"] = "unknown"
    opened_at: datetime | None = None

    @decide
    def open(self, command: OpenIncident) -> IncidentOpened:
        """Once."""
        if self.status != "unknown":
            raise Refused("incident-exists", f"incident {self.incident_id} is already open", status=self.status)
        return IncidentOpened(incident_id=self.incident_id, caller=command.caller, impact=command.impact)

    @decide(when=lambda self: self.status == "open" or "it is not open")
    def resolve(self, command: ResolveIncident, now: Now) -> list[IncidentResolved]:
        """What is open, at a time."""
        assert_type(now, datetime)
        return [IncidentResolved(incident_id=command.incident_id, resolved_at=now)]

    @evolve
    def opened(self, event: Recorded[IncidentOpened]) -> None:
        """With the envelope."""
        self.status, self.opened_at = "open", event.recorded_at

    @evolve
    def went_on(self, event: IncidentResolved | VendorAsked) -> None:
        """Several events."""
        if isinstance(event, IncidentResolved):
            self.status = "resolved"


class Pair(Aggregate):
    """A boundary and a start of its own."""

    incident_id: IncidentId
    both: str = ""

    @classmethod
    def start(cls, command: OpenIncident) -> Pair:
        """Fields that are not the command's."""
        return cls(incident_id=command.incident_id, both=command.caller)

    def boundary(self) -> EventQuery:
        """Both tags at once, or another type."""
        return EventQuery.of(tags=(f"incident:{self.incident_id}", f"caller:{self.both}")) | EventQuery.of(types=("X",))


class Vendor(Protocol):
    """Who is called outside."""

    async def ask(self, incident: str) -> str:
        """The number of the vendor's ticket."""
        ...


@handles
async def ask_vendor(command: AskVendor, vendor: Vendor, now: Now) -> VendorAsked:
    """Calls the outside world first."""
    assert_type(now, datetime)
    return VendorAsked(incident_id=command.incident_id, ticket=await vendor.ask(command.incident_id))


class IncidentRow(ReadModel):
    """A line of the list."""

    incident_id: Annotated[str, Key()]
    status: Annotated[str, Indexed()]
    opened_at: Annotated[datetime, Indexed()]
    caller: str | None = None


class Incidents(Projection[IncidentRow]):
    """The list."""

    version = 2

    @on
    def opened(self, event: Recorded[IncidentOpened]) -> IncidentRow:
        """A new row."""
        return IncidentRow(incident_id=event.event.incident_id, status="open", opened_at=event.recorded_at)

    @on
    def resolved(self, event: IncidentResolved, row: IncidentRow) -> IncidentRow:
        """A changed row."""
        return replace(row, status="resolved")

    @on(key=lambda event: [event.incident_id, event.ticket])
    def asked(self, event: VendorAsked, row: IncidentRow | None) -> IncidentRow | None:
        """Rows of computed keys."""
        return assert_type(row, IncidentRow | None)


class FindIncidents(Query[Page[IncidentRow]]):
    """A page of them."""

    status: str | None = None
    sort: Sort = "-opened_at"
    page: PageRequest = PageRequest(size=50)


class CountIncidents(Query[int]):
    """How many there are."""

    since: datetime


@answers
async def find_incidents(query: FindIncidents, incidents: Reader[IncidentRow]) -> Page[IncidentRow]:
    """By status."""
    return await incidents.where(status=query.status).sort(query.sort).page(query.page)


@answers
async def count_incidents(query: CountIncidents, incidents: Reader[IncidentRow], now: Now) -> int:
    """Every word of a reader."""
    some = incidents.where(opened_at=Range(query.since, now), status=In(["open"]), caller=IsNull(wanted=False))
    some = assert_type(some.where(incident_id=Prefix("INC"), caller=Contains("x")), Reader[IncidentRow])
    assert_type(await some.first(), IncidentRow | None)
    assert_type(await some.all(), list[IncidentRow])
    async for row in some.stream():
        assert_type(row, IncidentRow)
    return assert_type(await some.count(), int)


async def authorise(message: Command | Query[Any], actor: str | None) -> bool:
    """Who may."""
    if actor is None:
        raise Forbidden("sign in first")
    return isinstance(message, Command)


class Phone:
    """A vendor who answers."""

    async def ask(self, incident: str) -> str:
        """A number."""
        return f"T-{incident}"


app = App(
    "servicedesk",
    Incident,
    Incidents,
    find_incidents,
    count_incidents,
    ask_vendor,
    impact_was_not_asked,
    services={Vendor: Phone()},
)


async def run(desk: Runtime) -> None:
    """The verbs of a running application."""
    command = OpenIncident(incident_id="INC1", caller="c7", impact=2)
    receipt = await desk.execute(
        command, expect=0, idempotency_key="k", actor="ann", tenant="t", correlation="c", causation="e"
    )
    assert_type(receipt, Receipt)
    assert_type(receipt.position, int)
    assert_type(await desk.ask(FindIncidents(status="open"), after=receipt), Page[IncidentRow])
    assert_type(await desk.ask(CountIncidents(since=datetime.now(UTC)), max_staleness=2.0, timeout=1.0), int)
    answer = await desk.answer(FindIncidents(), after=receipt.position)
    assert_type(answer.value, Page[IncidentRow])
    assert_type(answer.position, int)
    assert_type(await desk.caught_up(), int)
    await desk.rebuild((await desk.projections())[0].name)
    async for found in desk.event_store.subscribe(ALL, after=receipt.position):
        assert_type(found.events[0].data, bytes)
    asgi(desk)


def run_without_an_event_loop(desk: BlockingRuntime) -> None:
    """The same words, blocking."""
    receipt = assert_type(desk.execute(ResolveIncident(incident_id="INC1"), actor="ann"), Receipt)
    assert_type(desk.ask(CountIncidents(since=datetime.now(UTC)), after=receipt), int)


async def try_it() -> AsyncIterator[int]:
    """What tests are written with."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    opened = IncidentOpened(incident_id="INC1", caller="c7", impact=2)
    solved = IncidentResolved(incident_id="INC1", resolved_at=noon)
    desk = scenario(Incident, now=noon)
    desk.given((opened, noon)).when(ResolveIncident(incident_id="INC1")).then(solved)
    desk.given(opened).when(OpenIncident(incident_id="INC1", caller="c", impact=1)).then_refused("incident-exists")
    scenario(Incidents).given((opened, noon)).then_rows(
        IncidentRow(incident_id="INC1", status="open", opened_at=noon),
    )
    assert_type(strategies.messages(OpenIncident).example(), OpenIncident)
    async with app.test(now=noon) as tested:
        await tested.given(opened)
        tested.clock.advance(timedelta(hours=1))
        yield (await tested.execute(ResolveIncident(incident_id="INC1"))).position
        yield assert_type(await tested.ask(CountIncidents(since=noon)), int)
        assert_type(tested.events, list[Event])


def authenticate(scope: Any) -> str | Caller:
    """Who calls."""
    name = dict(scope["headers"]).get(b"authorization")
    if name is None:
        raise Unauthenticated
    return Caller(name.decode(), "tenant")


site = create_app(app, "sqlite:///desk.db", HttpOptions(authenticate=authenticate))
guarded = App("guarded", Incident, impact_was_not_asked, authorise=authorise)


async def read_the_log() -> None:
    """The store alone."""
    async with open_store("sqlite:///log.db") as store:
        seen = await store.read(EventQuery.of(types=("A",), tags=("b:1",)) | EventQuery.of(tags=("c:2",)), limit=5)
        event = seen.events[0]
        assert_type((event.position, event.type, event.version, event.tags), tuple[int, str, int, tuple[str, ...]])
        assert_type((event.recorded_at, event.data, event.metadata), tuple[datetime, bytes, bytes])
        assert_type(await store.head(), int)
