"""What ``app.open(...)`` gives before the block in which the application is open. Reads: errors.py. Read next: app.py.

It is opened and closed by ``async with``. Who forgets that would meet an ``AttributeError`` of the standard library's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from headwater.errors import ContractError

T = TypeVar("T")


class NotOpen(ContractError, AttributeError):
    """It is used outside the block. An ``AttributeError``, so that ``hasattr`` has its answer."""


class Unopened(Generic[T]):
    """Opens ``what`` the context manager holds where the block begins; anything else says how that is ``written``."""

    def __init__(self, opened: Any, *, what: str, written: str) -> None:
        self._opened = opened
        self._what = what
        self._written = written

    async def __aenter__(self) -> T:
        found: T = await self._way("__aenter__")()
        return found

    async def __aexit__(self, *raised: object) -> bool | None:
        left: bool | None = await self._opened.__aexit__(*raised)
        return left

    def __enter__(self) -> T:
        found: T = self._way("__enter__")()
        return found

    def __exit__(self, *raised: object) -> bool | None:
        left: bool | None = self._opened.__exit__(*raised)
        return left

    def _way(self, name: str) -> Any:
        way = getattr(self._opened, name, None)
        if way is None:
            raise self._not_open()
        return way

    def _not_open(self) -> NotOpen:
        return NotOpen(f"the {self._what} is not open yet", remedy=f"write `{self._written}:`, and use it inside")

    if not TYPE_CHECKING:  # checkers know better what it has

        def __await__(self) -> NoReturn:
            raise self._not_open()

        def __getattr__(self, name: str) -> NoReturn:
            raise self._not_open()
