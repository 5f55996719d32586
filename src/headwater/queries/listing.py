"""Queries that are declared and need no handler: lists with filters, order, pages and search, and details by key.

    class FindIncidents(ListQuery[IncidentRow]):
        status: list[Status] | None = None                               # one of these
        group: str | None = None                                         # equal to the row's field of that name
        opened_at: Range[datetime] | None = None                         # ?opened_at.ge=...&opened_at.lt=...
        title: Annotated[str | None, Filter(by=Contains)] = None
        is_unassigned: Annotated[bool | None, Filter("person", by=IsNull)] = None
        mine: Annotated[str | None, Filter("person", "caller")] = None   # either of two fields
        search: Annotated[str | None, Search(highlight=True)] = None
        sort: Annotated[Sort, Sortable("opened_at", "priority")] = "relevance,-opened_at"

    class GetIncident(DetailQuery[IncidentRow]):
        incident_id: str                                                 # the key

Give them to ``App`` like other parts. A filter that is ``None`` is not applied. Reads: read_store/filters.py.
Read next: declared.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Meta

from headwater.messages import Query
from headwater.read_models import Page, PageRequest, ReadModel, Sort
from headwater.read_store.filters import Contains, In, IsNull, Ne, Prefix, Range

R = TypeVar("R", bound=ReadModel)

Bound: TypeAlias = Literal["ge", "gt", "le", "lt"]
By: TypeAlias = "type[Contains | In | IsNull | Ne | Prefix | Range[Any]] | Bound"
"""How a value is compared: as that filter does, or as a bound by itself (``by="ge"``)."""

Fields: TypeAlias = Annotated[
    tuple[str, ...], Meta(max_length=100, description="Only these fields are read and answered; all if none is named.")
]
"""Which fields of a row to read."""


class Filter:
    """Says which fields of a row a query's field filters by, where it is not simply the one of the same name.

    Without ``by`` a row's field must be equal to the value, to one of the values of a list, or within a ``Range``.
    With several fields it is enough that one of them meets the filter.
    """

    __slots__ = ("by", "fields")

    def __init__(self, *fields: str, by: By | None = None) -> None:
        self.fields = fields
        self.by = by

    def __repr__(self) -> str:
        by = () if self.by is None else (f"by={self.by if isinstance(self.by, str) else self.by.__name__}",)
        return f"Filter({', '.join((*map(repr, self.fields), *by))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and (other.fields, other.by) == (self.fields, self.by)

    def __hash__(self) -> int:
        return hash((Filter, self.fields, self.by))


class Search:
    """Marks the field of a query that holds what to search for, see ``Reader.search``.

    With ``highlight`` the answered page says where the words were found.
    """

    __slots__ = ("highlight",)

    def __init__(self, *, highlight: bool = False) -> None:
        self.highlight = highlight

    def __repr__(self) -> str:
        return f"Search(highlight={self.highlight})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Search) and other.highlight == self.highlight

    def __hash__(self) -> int:
        return hash((Search, self.highlight))


class Sortable:
    """Names the fields that a list may be sorted by: ``sort: Annotated[Sort, Sortable("opened_at")]``; else all are."""

    __slots__ = ("fields",)

    def __init__(self, *fields: str) -> None:
        self.fields = fields

    def __repr__(self) -> str:
        return f"Sortable({', '.join(map(repr, self.fields))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sortable) and other.fields == self.fields

    def __hash__(self) -> int:
        return hash((Sortable, self.fields))


class ListQuery(Query[Page[R]], Generic[R], frozen=True, forbid_unknown_fields=True):
    """A page of rows that meet all filters. ``sort`` is by key if it is empty, or best first where there is a search.

    Redeclare ``sort`` and ``page`` to give them another default: ``sort: Sort = "-opened_at"``. With ``fields``, the
    other fields of each row are ``msgspec.UNSET``, and absent in JSON.
    """

    sort: Sort = ""
    page: PageRequest = PageRequest()
    fields: Fields = ()


class DetailQuery(Query[R], Generic[R], frozen=True, forbid_unknown_fields=True):
    """The row of a key; its fields are those of the key. Raises ``RowNotFound`` (over HTTP 404) if there is none.

    With ``fields``, the other fields of the row are ``msgspec.UNSET``, and absent in JSON.
    """

    fields: Fields = ()
