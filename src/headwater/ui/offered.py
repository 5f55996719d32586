"""The tasks that concern one thing: which are on offer now, and why not the others. Reads: site.py.

Read next: reading.py. What is on offer is shown to those who may see the thing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headwater.commands.offers import Offers
from headwater.ui.site import Site, link_to
from headwater.ui.sitemap import Task


class Offered(msgspec.Struct, frozen=True):
    """A task as it is offered: where its form is, or the reason why it is not on offer."""

    task: Task
    href: str
    reason: str | None


async def offered(site: Site, base: str, keys: Mapping[str, Any], place: str) -> list[Offered]:
    """The tasks about what these keys name. A form made from here expects that nothing changes until it is sent."""
    known: dict[type, Offers | None] = {}
    found: list[Offered] = []
    for task in site.map.about(keys):
        offers = None
        if task.plan is not None:
            if task.plan.cls not in known:
                known[task.plan.cls] = await offers_of(site, task, keys)
            offers = known[task.plan.cls]
        said = [(name, text_of_key(keys[field])) for field, name in task.keys.items() if field in keys]
        expect = [] if offers is None else [("_expect", str(offers.position))]
        href = link_to(base, f"commands/{task.name}", [*said, *expect, ("_from", place)])
        found.append(Offered(task, href, None if offers is None else offers.of(task.command).reason))
    return found


async def offers_of(site: Site, task: Task, keys: Mapping[str, Any]) -> Offers | None:
    """What the state of a task's aggregate allows; ``None`` if these keys do not name the whole of its boundary."""
    plan = task.plan
    if plan is None or not plan.tags or any(field.many or field.field not in keys for field in plan.tags):
        return None
    types = {field.name: field.type for field in msgspec.structs.fields(plan.cls)}
    try:
        named = [field.field for field in plan.tags]
        key = {name: msgspec.convert(keys[name], types[name], strict=False) for name in named}
    except msgspec.ValidationError:
        return None
    return await site.runtime.offers(plan.cls, **key)


def text_of_key(value: Any) -> str:
    """A part of a key as it stands in an address."""
    return str(getattr(value, "value", value))
