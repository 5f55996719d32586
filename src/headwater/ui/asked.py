"""What the address of a page asks: a query, in an order, from a place on. Reads: site.py. Read next: reading.py.

Names that begin with an underscore are the UI's own; all others are the query's, spelled as over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET

from headwater.errors import InvalidMessage
from headwater.messages import Query, contract_of
from headwater.read_models import PageRequest
from headwater.ui.controls import Control, Form, form_of
from headwater.ui.entered import Entered, entered_of, values_of
from headwater.ui.results import default_columns
from headwater.ui.site import Site, link_to
from headwater.ui.sitemap import Listing

SORT, FIELDS, CURSOR, SIZE, TOTAL = "sort", "fields", "page.cursor", "page.size", "page.total"
_SORT_KEYS = 2


class Chosen(msgspec.Struct, frozen=True):
    """A filter that holds now: its label, what was entered, and the address without it."""

    label: str
    text: str
    href: str


class Asked(msgspec.Struct, frozen=True):
    """The names and texts of an address: the query's (``entered``), and the UI's own. ``base`` is where the UI is."""

    listing: Listing
    base: str
    entered: Entered
    own: Entered

    @property
    def is_complete(self) -> bool:
        """Whether everything is there without which the query cannot be asked."""
        return self.listing.needs <= {name.partition(".")[0] for name, text in self.entered.pairs if text}

    @property
    def sort(self) -> str:
        """The order that is asked for, else that of the query."""
        return self.entered.one(SORT) if SORT in self.entered else self.listing.sort

    @property
    def searched(self) -> str:
        """The words that are searched for; empty if none are."""
        return self.entered.one(self.listing.search or "")

    @property
    def sorts(self) -> list[str]:
        """The first keys of the order, each with its direction; empty where there is none."""
        words = [word.strip() for word in self.sort.split(",") if word.strip()]
        return [*words, *[""] * _SORT_KEYS][:_SORT_KEYS]

    @property
    def fields(self) -> list[str]:
        """The fields that are asked for; empty if all are."""
        return [name for text in self.entered.all(FIELDS) for name in text.split(",") if name]

    @property
    def size(self) -> str:
        """How many rows a page has."""
        return self.entered.one(SIZE) or str((self.listing.page or PageRequest()).size)

    @property
    def is_live(self) -> bool:
        """Whether changes are to be shown as they come."""
        return "_live" in self.own

    @property
    def place(self) -> str:
        """Where this page is below the UI, without the UI's own names."""
        return link_to("", f"queries/{self.listing.name}", self.entered.pairs).lstrip("/")

    def link(self, *left_out: str, **changes: object) -> str:
        """The same page with another order, another cursor; live if it is."""
        kept = [pair for pair in self.entered.pairs if pair[0] not in left_out and pair[0] not in changes]
        return self._here([*kept, *changes.items(), *([("_live", "1")] if self.is_live else [])])

    def toggled(self) -> str:
        """The same page, live or no more."""
        return self._here([*self.entered.pairs, *([] if self.is_live else [("_live", "1")])])

    def again(self) -> str:
        """The very same page."""
        return self._here([*self.entered.pairs, *self.own.pairs])

    def changes(self, since: int) -> str:
        """Where changes after a position are told."""
        return link_to(self.base, f"queries/{self.listing.name}/changes", [*self.entered.pairs, ("_since", since)])

    def _here(self, pairs: Iterable[tuple[str, object]]) -> str:
        return link_to(self.base, f"queries/{self.listing.name}", pairs)

    def form(self, error: InvalidMessage | None = None) -> Form:
        """The form of the query as it is filled in; what the address does not say is as usual."""
        initial = entered_of(self.listing.filters)
        shown = Entered((*(pair for pair in initial.pairs if pair[0] not in self.entered), *self.entered.pairs))
        return form_of(self.listing.filters, shown, error.errors if error else ())

    def chosen(self, form: Form) -> list[Chosen]:
        """The filters that hold now, each with the way to be rid of it."""
        return list(self._chosen(form.controls)) if self.listing.kind != "detail" else []

    def _chosen(self, controls: Iterable[Control]) -> Iterator[Chosen]:
        for control in controls:
            for part in control.inner if control.input.kind == "group" else (control,):
                texts = [text for text in self.entered.all(part.name) if text]
                label = part.input.label if part is control else f"{control.input.label} {part.input.label}"
                if texts:
                    yield Chosen(label, ", ".join(texts), self.link(part.name, CURSOR))


def asked_in(listing: Listing, base: str, said: Entered) -> Asked:
    """What an address asks of a query."""
    ours = [pair for pair in said.pairs if pair[0].startswith("_")]
    theirs = [pair for pair in said.pairs if not pair[0].startswith("_")]
    return Asked(listing, base, Entered(theirs), Entered(ours))


def query_of(site: Site, asked: Asked) -> Query[Any]:
    """The query that an address says. Raises ``InvalidMessage`` with every fault."""
    listing, entered = asked.listing, asked.entered
    found = values_of(listing.filters, entered, asking=True)
    values = found.values
    if listing.sortable and SORT in entered:
        values[SORT] = asked.sort
    if listing.page is not None:
        values |= {name: entered.one(name) for name in (SIZE, CURSOR, TOTAL) if entered.one(name)}
    if listing.selects and asked.fields:
        detail = site.map.details.get(listing.row)  # a row's key is always read: the link to its page needs it
        values[FIELDS] = [*dict.fromkeys((*(detail.keys if detail else ()), *asked.fields))]
    own = {each.name for each in listing.filters} | {"page", SORT, FIELDS}
    values |= {name: text for name, text in entered.pairs if text and name.partition(".")[0] not in own}
    if found.faults:
        raise InvalidMessage(contract_of(listing.query).name, found.faults)
    return site.runtime.codec.decode_query(listing.query, values)


def shortest(site: Site, listing: Listing, said: Entered) -> Entered:
    """What a form said, without what says nothing: empty fields, and what is as it would be anyway."""
    return Entered(_telling(listing, said, sorted(usual_columns(site, listing))))


def _telling(listing: Listing, said: Entered, columns: list[str]) -> Iterator[tuple[str, str]]:
    usual = {SIZE: [str((listing.page or PageRequest()).size)], FIELDS: columns}
    order = ",".join(word for word in said.all(SORT) if word)
    emptied = {each.name for each in listing.filters if each.default is not None and each.default is not UNSET}
    if listing.sortable and SORT in said and order != listing.sort:
        yield SORT, order
    for name, text in said.pairs:
        if name == SORT and listing.sortable:
            continue
        if sorted(said.all(name)) != usual.get(name) and (text or name.partition(".")[0] in emptied):
            yield name, text


def usual_columns(site: Site, listing: Listing) -> list[str]:
    """The columns that are shown if none are chosen: those declared, else the first single values."""
    return list(site.options.of(listing.query).columns) or default_columns(listing)
