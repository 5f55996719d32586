"""What proves that a form was made here, for this browser: a session cookie, and a token that goes with it.

Reads: nothing of the UI. Read next: rendering.py. Source: OWASP, cross-site request forgery (signed double submit).
"""

from __future__ import annotations

import secrets
from hashlib import blake2b
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

_COOKIE = "headwater-ui"
_LONGEST = 100
_PURPOSE = b"headwater-ui-form"


class Tickets:
    """Makes and checks tokens. The key is the read store's, so that they are good in every process."""

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, person=b"headwater-ui", digest_size=32).digest()

    def session(self, request: Request) -> str:
        """The session that the browser has, or a new one."""
        known = request.cookies.get(_COOKIE, "")
        return known if 0 < len(known) <= _LONGEST and known.isascii() else secrets.token_urlsafe(18)

    def token(self, session: str, actor: str | None) -> str:
        """The token of the forms of a session, for whoever is known as that actor."""
        text = f"{session}\n{actor or ''}".encode()
        return blake2b(_PURPOSE + text, key=self._key, digest_size=24).hexdigest()

    def holds(self, token: str, session: str, actor: str | None) -> bool:
        """Whether a form's token is that of the session."""
        return compare_digest(token.encode(), self.token(session, actor).encode())

    def keep(self, session: str, request: Request, response: Response) -> None:
        """Let the browser keep the session: for this site alone, out of scripts' sight."""
        if request.cookies.get(_COOKIE) != session:
            path = f"{request.scope.get('root_path', '')}/"
            secure = request.url.scheme == "https"
            response.set_cookie(_COOKIE, session, path=path, httponly=True, samesite="lax", secure=secure)
