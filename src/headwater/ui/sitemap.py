"""All pages of an application, found once: its lists, details and reports, and its tasks by what they are about.

Reads: inputs.py, names.py. Read next: rendering.py. A task is a command as people see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args, get_origin

import msgspec

from headwater.aggregates import AggregatePlan
from headwater.annotations import class_of, has_members, is_below, options
from headwater.catalogue import spoken_name
from headwater.commands.offers import begins
from headwater.messages import Command, Query, contract_of
from headwater.queries.asking import QueryPlan, answer_type_of
from headwater.queries.declared import DetailPlan, FilterPlan, ListPlan
from headwater.queries.reports import ReportPlan, ReportQuery, report_plan
from headwater.read_models import Page, PageRequest, ReadModel, key_fields
from headwater.read_store.tables import Table
from headwater.runtime import Runtime
from headwater.tags import tag_fields
from headwater.ui.cells import shape_of
from headwater.ui.inputs import Input, inputs_of
from headwater.ui.names import Names, help_of, words_of_name
from headwater.ui.options import UiOptions

ListingKind: TypeAlias = Literal["detail", "list", "report", "other"]

_BOUNDS = {"ge": "from", "le": "to", "gt": "after", "lt": "before"}
_FILTERED = {"ne": "{} is not", "prefix": "{} begins with", "contains": "{} contains", "null": "{} has no value",
             "ge": "{} at least", "gt": "{} more than", "le": "{} at most", "lt": "{} less than"}  # fmt: skip


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A query as people see it. ``row`` is the class of what it lists.

    ``keys`` are the fields that name a detail, with their names in JSON. ``filters`` are its inputs, without those that
    say how much is shown and in which order.
    """

    query: type[Query[Any]]
    name: str
    title: str
    help: str
    kind: ListingKind
    row: Any
    filters: tuple[Input, ...]
    keys: Mapping[str, str] = {}
    models: tuple[type[ReadModel], ...] = ()
    search: str | None = None
    sortable: tuple[str, ...] = ()
    sort: str = ""
    page: PageRequest | None = None
    selects: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The names without which it cannot be asked."""
        return frozenset(each.name for each in self.filters if each.required)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A command as people see it. ``keys`` are the fields with the tags of what it is about, with their names in JSON.

    ``begins`` says whether it can be the first thing that happens, and ``has_rule`` whether that is known for sure.
    """

    command: type[Command]
    name: str
    title: str
    help: str
    inputs: tuple[Input, ...]
    plan: AggregatePlan | None
    keys: Mapping[str, str]
    begins: bool
    has_rule: bool


class Group(msgspec.Struct, frozen=True):
    """The tasks of one aggregate, or those of none."""

    title: str
    help: str
    tasks: tuple[Task, ...]


class Sitemap(msgspec.Struct, frozen=True):
    """Everything there is to see and to do."""

    listings: Mapping[str, Listing]
    tasks: Mapping[str, Task]
    groups: tuple[Group, ...]
    details: Mapping[type[ReadModel], Listing]

    def of_kind(self, *kinds: ListingKind) -> list[Listing]:
        """The queries of these kinds."""
        return [listing for listing in self.listings.values() if listing.kind in kinds]

    def about(self, keys: Mapping[str, Any]) -> list[Task]:
        """The tasks that concern what these keys name."""
        return [task for task in self.tasks.values() if not task.keys.keys().isdisjoint(keys)]

    def list_of(self, detail: Listing) -> Listing | None:
        """The list whose rows lead to a detail, if there is one."""
        lists = (each for each in self.of_kind("list") if self.details.get(each.row) is detail)
        return next(lists, None) if detail.kind == "detail" else None

    def detail_of(self, keys: Mapping[str, Any]) -> Listing | None:
        """The page of what these keys name, if there is one."""
        return next((each for each in self.of_kind("detail") if each.keys.keys() <= set(keys)), None)


def sitemap(runtime: Runtime, options: UiOptions) -> Sitemap:
    """Find the pages of an application: what options name comes first, in their order; what they hide is left out."""
    names, wiring = Names(options), runtime.app.wiring
    order = {cls: number for number, cls in enumerate(options.show)}
    plans = sorted(wiring.queries, key=lambda plan: order.get(plan.query, len(order)))
    listings = [_listing(plan, names) for plan in plans if plan.query not in options.hide]
    tasks: dict[str, Task] = {}
    groups: list[Group] = []
    for plan in wiring.aggregates:
        own = [command for command in plan.deciders if command not in options.hide]
        own.sort(key=lambda command: order.get(command, len(order)))
        made = [_task(command, names, plan, begins=begins(wiring.routes[command])) for command in own]
        if made:
            groups.append(Group(words_of_name(plan.cls.__name__), help_of(plan.cls), tuple(made)))
    handled = [handler.command for handler in wiring.handlers if handler.command not in options.hide]
    if handled:
        others = tuple(_task(command, names, None, begins=True) for command in handled)
        groups.append(Group("Other tasks" if groups else "Tasks", "", others))
    tasks = {task.name: task for group in groups for task in group.tasks}
    return Sitemap({each.name: each for each in listings}, tasks, tuple(groups), _details(listings))


def column_faults(options: UiOptions, found: Sitemap) -> Iterator[str]:
    """What the options say of columns that no row has."""
    for listing in found.listings.values():
        there = [name for name, _ in shape_of(listing.row)] if has_members(listing.row) else []
        for name in options.of(listing.query).columns:
            if name not in there:
                yield f"{listing.query.__name__} has no column {name!r}; there are: {', '.join(there)}"


def _details(listings: Sequence[Listing]) -> dict[type[ReadModel], Listing]:
    found: dict[type[ReadModel], Listing] = {}
    for listing in listings:
        if listing.kind == "detail":
            for model in listing.models:
                found.setdefault(model, listing)
    return found


def _task(command: type[Command], names: Names, plan: AggregatePlan | None, *, begins: bool) -> Task:
    encoded = dict(zip(command.__struct_fields__, command.__struct_encode_fields__, strict=True))
    own = plan.tags if plan is not None and plan.tags else tag_fields(command)
    return Task(
        command=command,
        name=spoken_name(contract_of(command).name),
        title=names.title(command),
        help=names.help(command),
        inputs=_chosen(inputs_of(command, names.labels(command)), names.fields(command)),
        plan=plan,
        keys={field.field: encoded[field.field] for field in own if field.field in encoded and not field.many},
        begins=begins,
        has_rule=plan is not None and plan.deciders[command].when is not None,
    )


def _listing(plan: QueryPlan, names: Names) -> Listing:
    query = plan.query
    declared = _declared(plan)
    inputs = inputs_of(query, names.labels(query), asking=True, zoned=declared is None)
    fields = {field.encode_name: field for field in msgspec.structs.fields(query)}
    kind, row = _kind_of(answer_type_of(query))
    keys, models = _keys(plan, kind)
    page = next((field for field in fields.values() if class_of(field.type) is PageRequest), None)
    sortable = _sortable(declared, row) if "sort" in fields and class_of(fields["sort"].type) is str else ()
    default = fields["sort"].default if sortable else ""
    own = {"page"} if page is not None else set[str]()
    own |= {"sort"} if sortable else set[str]()
    selects = isinstance(declared, ListPlan | DetailPlan)
    own |= {"fields"} if selects else set[str]()
    search = declared.search if isinstance(declared, ListPlan) else None
    filters = () if declared is None or isinstance(declared, DetailPlan) else declared.filters
    return Listing(
        query=query,
        name=spoken_name(plan.name),
        title=names.title(query),
        help=names.help(query),
        kind="detail" if models else "other" if kind == "detail" else kind,
        row=row,
        filters=tuple(_said(each, filters) for each in _chosen(inputs, names.fields(query)) if each.name not in own),
        keys=keys,
        models=models,
        search=search,
        sortable=sortable,
        sort=default if isinstance(default, str) else "",
        page=page.default if page is not None and isinstance(page.default, PageRequest) else None,
        selects=selects,
    )


def _declared(plan: QueryPlan) -> ListPlan | DetailPlan | ReportPlan | None:
    asked: Any = plan.query
    if is_below(asked, ReportQuery):
        found = report_plan(asked)
        return None if isinstance(found, str) else found
    return plan.declared


def _kind_of(answer: Any) -> tuple[ListingKind, Any]:
    """What an answer of that type is, and the class of its rows."""
    parts = [each for each in options(answer) if each is not type(None)]
    if len(parts) != 1:
        return "other", Any
    own, inner = class_of(parts[0]), get_args(parts[0])
    if own is Page:
        return "list", inner[0] if inner else Any
    if get_origin(parts[0]) in (list, tuple) or (is_below(own, list, tuple, Sequence) and not is_below(own, str)):
        return "report", inner[0] if inner else Any
    return ("detail" if has_members(own) else "other"), own


def _keys(plan: QueryPlan, kind: ListingKind) -> tuple[dict[str, str], tuple[type[ReadModel], ...]]:
    """The fields that name what a query answers, and the models whose rows it is about; none if it is no detail."""
    if kind != "detail":
        return {}, ()
    needed = {field.name: field.encode_name for field in msgspec.structs.fields(plan.query) if field.required}
    return needed, tuple(model for model in plan.models if needed and set(key_fields(model)) == set(needed))


def _sortable(declared: ListPlan | DetailPlan | ReportPlan | None, row: Any) -> tuple[str, ...]:
    if isinstance(declared, ListPlan | ReportPlan):
        return declared.sortable
    if not is_below(row, ReadModel):
        return ()
    return tuple(column.name for column in Table(row.__name__, 1, row).columns if not column.is_json)


def _chosen(inputs: tuple[Input, ...], fields: Sequence[str]) -> tuple[Input, ...]:
    """The inputs that a form offers: those named, in their order, else all."""
    named = {each.name: each for each in inputs}
    return tuple(named[name] for name in fields) if fields else inputs


def _said(each: Input, filters: Sequence[FilterPlan]) -> Input:
    """An input with the words for how it filters."""
    if {inner.name for inner in each.inner} == set(_BOUNDS):
        inner = tuple(msgspec.structs.replace(bound, label=_BOUNDS[bound.name]) for bound in _in_order(each.inner))
        return msgspec.structs.replace(each, inner=inner)
    plan = next((plan for plan in filters if plan.field == each.name and plan.columns == (each.name,)), None)
    if plan is None or plan.operation not in _FILTERED:
        return each
    return msgspec.structs.replace(each, label=_FILTERED[plan.operation].format(each.label))


def _in_order(bounds: Sequence[Input]) -> Iterator[Input]:
    yield from sorted(bounds, key=lambda bound: list(_BOUNDS).index(bound.name))
