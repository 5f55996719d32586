"""The HTTP door: ``create_app(app, url)`` opens the stores itself, ``asgi(runtime)`` uses open ones.

Reads: application.py. Needs the extra ``web``. It translates and calls the app, nothing more.
"""

from __future__ import annotations

from headwater.errors import MissingExtra

try:
    from headwater.http.application import HttpDoor, asgi, create_app
    from headwater.http.faults import Unauthenticated
    from headwater.http.options import Authenticate, Caller, HttpOptions, UnknownRole
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "starlette":
        raise
    raise MissingExtra("web", "starlette", "the HTTP door") from error

__all__ = ["Authenticate", "Caller", "HttpDoor", "HttpOptions", "Unauthenticated", "UnknownRole", "asgi", "create_app"]
