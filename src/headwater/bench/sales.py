"""What the read side is measured with: sales, found by key, in pages, by words, and summed up. Read next: rivals.py."""

from __future__ import annotations

from itertools import count
from typing import Annotated

from headwater.app import App
from headwater.figure_marks import Count, Group, Sum
from headwater.messages import Cache, Event, Query, Tag
from headwater.queries.asking import answers
from headwater.read_models import Indexed, Key, Page, PageRequest, Projection, ReadModel, Searchable, on
from headwater.read_store.filters import Range
from headwater.read_store.reader import Reader
from headwater.reports import ReportRow

STATES = ("open", "paid", "shipped", "cancelled")
_REGIONS = tuple(f"region-{number}" for number in range(10))
_WORDS = (
    *("paper", "toner", "cable", "screen", "keyboard", "mouse", "chair", "table", "lamp", "shelf", "printer", "router"),
    *("battery", "charger", "adapter", "camera", "speaker", "headset", "tablet", "scanner"),
)
_FAR = 7919  # prime: steps of so many rows visit them all, each far from the last


class SaleMade(Event):
    """Something was sold."""

    sale_id: Annotated[str, Tag("sale")]
    customer: str
    state: str
    region: str
    total: int
    made_at: int
    note: str


class Sale(ReadModel):
    """One row for each sale; ``made_at`` is in seconds."""

    sale_id: Annotated[str, Key()]
    customer: str
    state: Annotated[str, Indexed("made_at"), Indexed("region", "made_at")]
    region: str
    total: int
    made_at: Annotated[int, Indexed()]
    note: Annotated[str, Searchable()]


class Sales(Projection[Sale]):
    """A row for each sale as it was made."""

    @on
    def made(self, event: SaleMade) -> Sale:
        """Make the row."""
        return Sale(
            sale_id=event.sale_id,
            customer=event.customer,
            state=event.state,
            region=event.region,
            total=event.total,
            made_at=event.made_at,
            note=event.note,
        )


class ByState(ReportRow[Sale]):
    """How many sales, and what they come to."""

    state: Annotated[str, Group()]
    sales: Annotated[int, Count()]
    total: Annotated[int, Sum()]


class GetSale(Query[Sale | None]):
    """One sale by its key."""

    sale_id: str


class FindSales(Query[Page[Sale]]):
    """The latest sales in a state that were made before a time."""

    state: str
    before: int
    region: str | None = None
    least: int | None = None


class SearchSales(Query[Page[Sale]]):
    """The sales whose notes have these words, best first."""

    text: str


class SumUpSales(Query[list[ByState]]):
    """Sums by state."""


class RecallSales(Query[Page[Sale]], cache=Cache()):
    """As ``FindSales``; the answer is kept."""

    state: str
    before: int


class RecallSums(Query[list[ByState]], cache=Cache()):
    """As ``SumUpSales``; the answer is kept."""


class GlanceAtSales(Query[Page[Sale]], cache=Cache(max_staleness=1.0)):
    """As ``RecallSales``; a change may be a second late."""

    state: str
    before: int


class GlanceAtSums(Query[list[ByState]], cache=Cache(max_staleness=1.0)):
    """As ``RecallSums``; a change may be a second late."""


@answers
async def get_sale(query: GetSale, sales: Reader[Sale]) -> Sale | None:
    """Get the row."""
    return await sales.get(query.sale_id)


@answers
async def find_sales(query: FindSales, sales: Reader[Sale]) -> Page[Sale]:
    """Filter by one to three fields, sort, page."""
    found = sales.where(state=query.state, made_at=Range(lt=query.before))
    if query.region is not None:
        found = found.where(region=query.region, total=Range(ge=query.least or 0))
    return await found.sort("-made_at").page(PageRequest(size=50))


@answers
async def search_sales(query: SearchSales, sales: Reader[Sale]) -> Page[Sale]:
    """Search, page."""
    return await sales.search(query.text).page(PageRequest(size=50))


@answers
async def sum_up_sales(query: SumUpSales, sales: Reader[Sale]) -> list[ByState]:
    """Group and sum."""
    del query
    return await sales.report(ByState)


@answers
async def recall_sales(query: RecallSales, sales: Reader[Sale]) -> Page[Sale]:
    """As ``find_sales``."""
    return await find_sales(FindSales(state=query.state, before=query.before), sales)


@answers
async def recall_sums(query: RecallSums, sales: Reader[Sale]) -> list[ByState]:
    """As ``sum_up_sales``."""
    del query
    return await sales.report(ByState)


@answers
async def glance_at_sales(query: GlanceAtSales, sales: Reader[Sale]) -> Page[Sale]:
    """As ``find_sales``."""
    return await find_sales(FindSales(state=query.state, before=query.before), sales)


@answers
async def glance_at_sums(query: GlanceAtSums, sales: Reader[Sale]) -> list[ByState]:
    """As ``sum_up_sales``."""
    del query
    return await sales.report(ByState)


def sale(number: int) -> SaleMade:
    """The event of sale so-and-so; states, regions and words are spread evenly."""
    size = len(_WORDS)
    return SaleMade(
        sale_id=sale_id(number),
        customer=f"c-{number % 5000}",
        state=STATES[number * _FAR % 101 % len(STATES)],
        region=_REGIONS[number * 31 % 97 % len(_REGIONS)],
        total=number * _FAR % 100_000,
        made_at=number * 10,
        note=f"{_WORDS[number % size]} {_WORDS[number // size % size]} {_WORDS[number // size**2 % size]} n{number}",
    )


def sale_id(number: int) -> str:
    """The key of a sale."""
    return f"s-{number}"


class Questions:
    """Which row, page or words come next: spread over all rows, and the same for everybody."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._turns = count()

    def key(self) -> str:
        """The next key."""
        return sale_id(next(self._turns) * _FAR % self._rows)

    def page(self) -> tuple[str, int]:
        """A state, and the time before which the sales of the next page were made."""
        turn = next(self._turns)
        return STATES[turn % len(STATES)], (self._rows // 2 + turn * _FAR % (self._rows // 2)) * 10

    def filtered(self) -> tuple[str, int, str, int]:
        """A page as before, with a region and a least total."""
        state, before = self.page()
        return state, before, _REGIONS[before % 7], 20_000

    def words(self) -> str:
        """Two words that some rows in four hundred have, and one number that one of them has."""
        number = next(self._turns) * _FAR % self._rows
        return f"{_WORDS[number % len(_WORDS)]} n{number}"


def sales_app() -> App:
    """The application that answers them."""
    return App(
        *("sales", Sales, get_sale, find_sales, search_sales),
        *(sum_up_sales, recall_sales, recall_sums, glance_at_sales, glance_at_sums),
    )
