"""Headwater: commands change state, queries read it, and one log of events stands between them.

Every public name is imported from here: ``from headwater import App, Command, Event``. A name's module is loaded when
the name is first used, so that a contract module does not pay for a database. Read next: messages.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.lazy import lazily

if TYPE_CHECKING:  # what a type checker and an editor see; at run time the table below does the same, lazily
    from headwater import errors
    from headwater.aggregates import Aggregate, decide, evolve
    from headwater.app import App
    from headwater.blocking import BlockingRuntime
    from headwater.clock import Clock, Now
    from headwater.commands.handlers import handles
    from headwater.errors import ConcurrencyError, Forbidden, HeadwaterError, Refused
    from headwater.event_store import open_store
    from headwater.event_store.protocol import (
        ALL,
        AppendCondition,
        Appended,
        Conflict,
        EventQuery,
        EventStore,
        NewEvent,
        Slice,
    )
    from headwater.figure_marks import Count, Group, Sum
    from headwater.limits import Limits
    from headwater.messages import Cache, Command, Event, Meta, Metadata, Query, Receipt, Recorded, Tag, contract
    from headwater.queries.asking import Answer, answers
    from headwater.queries.listing import DetailQuery, Filter, ListQuery, Search, Sortable
    from headwater.queries.reports import ReportQuery
    from headwater.read_models import (
        AggregateProjection,
        Indexed,
        Join,
        Key,
        Page,
        PageRequest,
        Projection,
        ReadModel,
        Searchable,
        Sort,
        on,
    )
    from headwater.read_store import AnyOf, Contains, In, IsNull, Ne, Prefix, Range, Reader
    from headwater.reports import ReportRow
    from headwater.row_handlers import Lookup
    from headwater.runtime import Runtime
    from headwater.upcasting import upcast

__version__ = "0.1.0"

__all__ = [
    "ALL",
    "Aggregate",
    "AggregateProjection",
    "Answer",
    "AnyOf",
    "App",
    "AppendCondition",
    "Appended",
    "BlockingRuntime",
    "Cache",
    "Clock",
    "Command",
    "ConcurrencyError",
    "Conflict",
    "Contains",
    "Count",
    "DetailQuery",
    "Event",
    "EventQuery",
    "EventStore",
    "Filter",
    "Forbidden",
    "Group",
    "HeadwaterError",
    "In",
    "Indexed",
    "IsNull",
    "Join",
    "Key",
    "Limits",
    "ListQuery",
    "Lookup",
    "Meta",
    "Metadata",
    "Ne",
    "NewEvent",
    "Now",
    "Page",
    "PageRequest",
    "Prefix",
    "Projection",
    "Query",
    "Range",
    "ReadModel",
    "Reader",
    "Receipt",
    "Recorded",
    "Refused",
    "ReportQuery",
    "ReportRow",
    "Runtime",
    "Search",
    "Searchable",
    "Slice",
    "Sort",
    "Sortable",
    "Sum",
    "Tag",
    "answers",
    "contract",
    "decide",
    "errors",
    "evolve",
    "handles",
    "on",
    "open_store",
    "upcast",
]

_MODULE_OF = {
    "ALL": "headwater.event_store.protocol",
    "Aggregate": "headwater.aggregates",
    "AggregateProjection": "headwater.read_models",
    "Answer": "headwater.queries.asking",
    "AnyOf": "headwater.read_store",
    "App": "headwater.app",
    "AppendCondition": "headwater.event_store.protocol",
    "Appended": "headwater.event_store.protocol",
    "BlockingRuntime": "headwater.blocking",
    "Cache": "headwater.messages",
    "Clock": "headwater.clock",
    "Command": "headwater.messages",
    "ConcurrencyError": "headwater.errors",
    "Conflict": "headwater.event_store.protocol",
    "Contains": "headwater.read_store",
    "Count": "headwater.figure_marks",
    "DetailQuery": "headwater.queries.listing",
    "Event": "headwater.messages",
    "EventQuery": "headwater.event_store.protocol",
    "EventStore": "headwater.event_store.protocol",
    "Filter": "headwater.queries.listing",
    "Forbidden": "headwater.errors",
    "Group": "headwater.figure_marks",
    "HeadwaterError": "headwater.errors",
    "In": "headwater.read_store",
    "Indexed": "headwater.read_models",
    "IsNull": "headwater.read_store",
    "Join": "headwater.read_models",
    "Key": "headwater.read_models",
    "Limits": "headwater.limits",
    "ListQuery": "headwater.queries.listing",
    "Lookup": "headwater.row_handlers",
    "Meta": "headwater.messages",
    "Metadata": "headwater.messages",
    "Ne": "headwater.read_store",
    "NewEvent": "headwater.event_store.protocol",
    "Now": "headwater.clock",
    "Page": "headwater.read_models",
    "PageRequest": "headwater.read_models",
    "Prefix": "headwater.read_store",
    "Projection": "headwater.read_models",
    "Query": "headwater.messages",
    "Range": "headwater.read_store",
    "ReadModel": "headwater.read_models",
    "Reader": "headwater.read_store",
    "Receipt": "headwater.messages",
    "Recorded": "headwater.messages",
    "Refused": "headwater.errors",
    "ReportQuery": "headwater.queries.reports",
    "ReportRow": "headwater.reports",
    "Runtime": "headwater.runtime",
    "Search": "headwater.queries.listing",
    "Searchable": "headwater.read_models",
    "Slice": "headwater.event_store.protocol",
    "Sort": "headwater.read_models",
    "Sortable": "headwater.queries.listing",
    "Sum": "headwater.figure_marks",
    "Tag": "headwater.messages",
    "answers": "headwater.queries.asking",
    "contract": "headwater.messages",
    "decide": "headwater.aggregates",
    "evolve": "headwater.aggregates",
    "handles": "headwater.commands.handlers",
    "on": "headwater.read_models",
    "open_store": "headwater.event_store",
    "upcast": "headwater.upcasting",
}


__getattr__ = lazily(__name__, ("errors",), _MODULE_OF)


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*__all__, "__version__"])
