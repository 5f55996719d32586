"""What only HTTP can get wrong: requests that never become messages. Reads: nothing. Read next: problems.py."""

from __future__ import annotations

from collections.abc import Sequence

Headers = list[tuple[bytes, bytes]]


class RequestFault(Exception):
    """A request that cannot become a message: ``status``, a stable ``code``, a title, and ``headers`` to send."""

    status = 400
    code = "bad-request"
    title = "The request cannot be understood"

    def __init__(self, detail: str, *, remedy: str = "", headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy
        self.headers: Headers = headers or []


class InvalidHeader(RequestFault):
    """A header whose value does not have its form."""

    code = "invalid-header"
    title = "A header does not have its form"

    def __init__(self, name: str, wanted: str) -> None:
        super().__init__(f"{name} must be {wanted}")


class Unauthenticated(RequestFault):
    """Raise it in an ``authenticate`` hook: who calls is not known. ``challenge`` is sent as ``WWW-Authenticate``."""

    status = 401
    code = "unauthenticated"
    title = "Who are you?"

    def __init__(self, detail: str = "credentials are missing or wrong", *, challenge: str = "Bearer") -> None:
        super().__init__(detail, headers=[(b"www-authenticate", challenge.encode())])


class NothingHere(RequestFault):
    """No resource at that path."""

    status = 404
    code = "not-found"
    title = "There is nothing here"


class MethodNotAllowed(RequestFault):
    """The resource is there, the method is not."""

    status = 405
    code = "method-not-allowed"
    title = "The method is not allowed here"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        listed = ", ".join(allowed)
        super().__init__(f"{method} is not allowed here", remedy=f"use {listed}", headers=[(b"allow", listed.encode())])


class BodyTooLarge(RequestFault):
    """The body is longer than this door accepts."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"a body may have {limit_bytes} bytes")


class NotJson(RequestFault):
    """The body is not declared as plain JSON. A form of another site cannot send that, which keeps browsers safe."""

    status = 415
    code = "unsupported-media-type"
    title = "Only JSON is understood"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the body is declared as {found or 'nothing'}",
            remedy="send it with Content-Type: application/json, not compressed",
            headers=[(b"accept-post", b"application/json")],
        )
