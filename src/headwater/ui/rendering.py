"""Templates, and the responses made from them: every text escaped, nothing allowed that does not come from here.

Reads: cells.py, controls.py. Read next: door.py. Sources: CSP 3, the Fetch standard (nosniff), Referrer Policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from headwater.http.faults import NothingHere
from headwater.ui.options import UiOptions

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


class Pages:
    """Renders templates: those of the application's own folder first, then the ones that come along."""

    def __init__(self, options: UiOptions, shared: Mapping[str, Any]) -> None:
        loaders: list[BaseLoader] = [PackageLoader("headwater.ui")]
        if options.templates is not None:
            loaders.insert(0, FileSystemLoader(options.templates))
        self._static = _static_files()
        self._templates = Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["hash"] = _digest
        self._shared = {**shared, "version": {name: digest for name, (_, digest) in self._static.items()}}

    def page(self, request: Request, template: str, status: int = 200, /, **context: Any) -> Response:
        """The page that a template makes."""
        base = request.scope.get("root_path", "")
        request.scope.setdefault("state", {}).setdefault("actor", None)
        text = self._templates.get_template(template).render(self._shared, base=base, request=request, **context)
        return HTMLResponse(text, status, _HEADERS)

    def static(self, name: str) -> Response:
        """A style sheet or script; its address changes with it, so that it can be kept for good."""
        if name not in self._static:
            raise NothingHere(f"there is no file {name}")
        body, _ = self._static[name]
        headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
        return Response(body, 200, headers, _MEDIA_TYPES[name.rpartition(".")[2]])


def _digest(text: str) -> str:
    """A name for a text that may stand in an id."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _static_files() -> dict[str, tuple[bytes, str]]:
    found = [
        each
        for each in files("headwater.ui").joinpath("static").iterdir()
        if each.name.rpartition(".")[2] in _MEDIA_TYPES
    ]
    bodies = {each.name: each.read_bytes() for each in found}
    return {name: (body, blake2b(body, digest_size=8).hexdigest()) for name, body in bodies.items()}
