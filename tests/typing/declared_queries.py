"""What type checkers conclude about declared queries. Checked by mypy and pyright strict; never executed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, assert_type

from headwater import (
    AnyOf,
    App,
    Contains,
    DetailQuery,
    Filter,
    Indexed,
    IsNull,
    Join,
    Key,
    ListQuery,
    Ne,
    Page,
    PageRequest,
    Range,
    Reader,
    ReadModel,
    Search,
    Searchable,
    Sort,
    Sortable,
)

Status = Literal["open", "closed"]


class CallerRow(ReadModel):
    """A caller."""

    caller: Annotated[str, Key()]
    name: str


class IncidentRow(ReadModel):
    """An incident."""

    incident_id: Annotated[str, Key()]
    title: Annotated[str, Searchable(4)]
    status: Annotated[Status, Indexed("opened_at")]
    caller: str
    opened_at: datetime
    closed_at: datetime | None = None


class IncidentWithCaller(IncidentRow):
    """An incident with its caller."""

    caller_row: Annotated[CallerRow | None, Join("caller")] = None


class FindIncidents(ListQuery[IncidentWithCaller]):
    """Incidents."""

    status: list[Status] | None = None
    opened_at: Range[datetime] | None = None
    title: Annotated[str | None, Filter(by=Contains)] = None
    not_by: Annotated[str | None, Filter("caller", by=Ne)] = None
    is_open: Annotated[bool | None, Filter("closed_at", by=IsNull)] = None
    opened_until: Annotated[datetime | None, Filter("opened_at", by="lt")] = None
    search: Annotated[str | None, Search(highlight=True)] = None
    sort: Annotated[Sort, Sortable("opened_at")] = "relevance,-opened_at"
    page: PageRequest = PageRequest(size=20)


class GetIncident(DetailQuery[IncidentWithCaller]):
    """One incident."""

    incident_id: str


async def use(app: App, rows: Reader[IncidentRow], noon: datetime) -> None:
    """The types of answers and readers."""
    async with app.open("memory:") as desk:
        query = FindIncidents(status=["open"], opened_at=Range(ge=noon), sort="-opened_at", fields=("title",))
        page = await desk.ask(query)
        assert_type(page, Page[IncidentWithCaller])
        assert_type(page.items[0].caller_row, CallerRow | None)
        assert_type(await desk.ask(GetIncident(incident_id="INC1")), IncidentWithCaller)
    found = rows.where(status=AnyOf("open", IsNull())).where_any(caller="c", title=Contains("x")).search("paper jam")
    assert_type(found, Reader[IncidentRow])
    assert_type(await found.only("title").page(), Page[IncidentRow])
