"""An application between ``app.open(...)`` and the block in which it is open. Reads: errors.py. Read next: app.py.

It is opened and closed by ``async with``. Who forgets that would meet an ``AttributeError`` of the standard library's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from headwater.errors import ContractError

T = TypeVar("T")


class Unopened(Generic[T]):
    """Opens what ``opened`` is, a context manager, where the block begins; anything else says how that is written."""

    def __init__(self, opened: Any, written: str) -> None:
        self._opened = opened
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
        return self._refuse() if way is None else way

    def _refuse(self) -> NoReturn:
        raise ContractError("the application is not open yet", remedy=f"write `{self._written}`, and use it inside")

    if not TYPE_CHECKING:  # checkers know better what it has

        def __await__(self) -> NoReturn:
            self._refuse()

        def __getattr__(self, name: str) -> NoReturn:
            from headwater.runtime import Runtime  # opened applications have much to load

            if hasattr(Runtime, name) and not name.startswith("_"):
                self._refuse()
            raise AttributeError(name)
