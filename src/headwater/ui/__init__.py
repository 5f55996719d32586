"""The task-based user interface: pages made from the catalogue, for people. ``HttpOptions(doors=[TaskUi()])``.

Reads: door.py. Needs the extra ``web``. Lists and details come from queries; there is one form for each command, on
offer only while its ``when`` holds. Nothing has to be declared; ``TaskUi`` says what may be.
"""

from __future__ import annotations

from headwater.errors import MissingExtra

try:
    from headwater.ui.door import TaskUi
    from headwater.ui.options import Show
except ModuleNotFoundError as error:
    package = (error.name or "").partition(".")[0]
    if package not in {"starlette", "jinja2"}:
        raise
    raise MissingExtra("web", package, "the task-based user interface") from error

__all__ = ["Show", "TaskUi"]
