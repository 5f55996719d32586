"""Whether a process is alive, and whether its work goes on: for whoever restarts processes and sends them traffic.

Reads: followers/pulse.py, problems.py. Read next: pages.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from headwater.errors import ProjectionStalled, StoreError
from headwater.followers import ProjectionStatus
from headwater.followers.pulse import Pulse
from headwater.http.options import HttpOptions
from headwater.http.problems import MEDIA_TYPE, problem_of
from headwater.runtime import Runtime

_JSON = "application/json"
_PLAIN = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def health_routes(runtime: Runtime, options: HttpOptions) -> list[Route]:
    """``/health`` answers 200 as long as the process answers at all; ``/health/ready`` while its work goes on.

    Ready means: the log can be read, and no projection has stood before the same work for ``patience_seconds``. An idle
    process is ready, and so is one that catches up. A process that only takes commands does not answer for projections.
    """
    pulse = Pulse(options.patience_seconds)

    async def alive(_: Request) -> Response:
        return Response(msgspec.json.encode({"status": "ok"}), 200, _PLAIN, _JSON)

    async def ready(_: Request) -> Response:
        try:
            head = await runtime.event_store.head()
            statuses: Sequence[ProjectionStatus] = () if options.role == "command" else await runtime.projections()
            pulse.check(statuses, monotonic())
        except (StoreError, ProjectionStalled) as error:
            problem = problem_of(error)
            return Response(problem.body, problem.status, _PLAIN, MEDIA_TYPE.decode())
        found: dict[str, Any] = {"status": "ok", "head": head, "projections": statuses}
        return Response(msgspec.json.encode(found), 200, _PLAIN, _JSON)

    return [Route("/health", alive), Route("/health/ready", ready)]


def health_app(runtime: Runtime, options: HttpOptions | None = None) -> Starlette:
    """The health check alone, for a process that serves nothing else."""
    return Starlette(routes=health_routes(runtime, options or HttpOptions()))
