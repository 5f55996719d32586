"""The door itself: all pages as routes. Reads: reading.py, changes.py, doing.py. Nothing follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from headwater.errors import WiringError
from headwater.http.faults import NothingHere
from headwater.http.options import HttpOptions
from headwater.runtime import Runtime
from headwater.ui.changes import query_changes
from headwater.ui.doing import task_page
from headwater.ui.options import UiOptions, option_faults
from headwater.ui.reading import query_page
from headwater.ui.site import Site, entered_in
from headwater.ui.sitemap import column_faults

Page = Callable[[Site, Request], Awaitable[Response]]


class TaskUi(UiOptions, frozen=True, kw_only=True):
    """A user interface made from the catalogue: ``HttpOptions(doors=[TaskUi()])`` shows it at ``/ui/``.

    ``title`` is what the application is called, ``path`` where its pages begin. ``show`` says how single commands and
    queries are shown, and in which order; ``hide`` leaves some out; ``labels`` are words for fields, by name.
    ``templates`` is a folder whose files take the place of those that come along. A page that follows a command waits
    ``wait_seconds`` for the change to be in it. Raises ``WiringError`` for what the application does not have.
    """

    def __call__(self, runtime: Runtime, http: HttpOptions) -> Sequence[BaseRoute]:
        """The routes, once the application is open; none where only commands or only queries are served."""
        if faults := tuple(option_faults(self, runtime.catalogue)):
            raise WiringError(faults, app=runtime.app.name)
        if http.role != "all":
            return ()
        site = Site(runtime, http, self)
        if faults := tuple(column_faults(self, site.map)):
            raise WiringError(faults, app=runtime.app.name)
        inner = [
            Route("/", _endpoint(site, start_page)),
            Route("/queries/{name}", _endpoint(site, query_page)),
            Route("/queries/{name}/changes", _endpoint(site, query_changes)),
            Route("/commands/{name}", _endpoint(site, task_page), methods=["GET", "POST"]),
            Route("/static/{name}", _endpoint(site, _static)),
            Route("/{rest:path}", _endpoint(site, _nothing)),
        ]
        return [Mount(self.path, routes=inner)]


async def start_page(site: Site, request: Request) -> Response:
    """What there is to see and to do."""
    await site.caller(request)
    notice = site.notice(request.scope.get("root_path", ""), entered_in(request))
    return site.pages.page(request, "start.html", site=site.map, notice=notice)


async def _static(site: Site, request: Request) -> Response:
    return site.pages.static(request.path_params["name"])


async def _nothing(_: Site, request: Request) -> Response:
    raise NothingHere(f"{request.url.path} is no page")


def _endpoint(site: Site, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page that answers every error with a page."""

    async def answer(request: Request) -> Response:
        try:
            return await page(site, request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as error:  # noqa: BLE001  the outermost frame: every error becomes a page
            return site.problem(request, error)

    return answer
