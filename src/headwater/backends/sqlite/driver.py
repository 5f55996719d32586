"""The driver's face, typed: what this backend uses of ``apsw``. Reads: nothing. Read next: errors.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Value: TypeAlias = int | float | str | bytes | None
Row: TypeAlias = tuple[Any, ...]


class Cursor(Protocol):
    """The rows of a statement, made as they are asked for."""

    def __iter__(self) -> Iterator[Row]: ...
    def __next__(self) -> Row: ...
    def execute(self, statements: str, bindings: Sequence[Value] | Mapping[str, Value] | None = ...) -> Cursor:
        """Run the statements; the first row is made at once."""
        ...

    def fetchone(self) -> Row | None:
        """The next row, ``None`` after the last."""
        ...

    def fetchall(self) -> list[Row]:
        """All rows that are left."""
        ...

    def close(self, force: bool = ...) -> None:  # noqa: FBT001  the driver's own signature
        """Stop here; the rows that are left are not made."""
        ...

    @property
    def get(self) -> Any:
        """The one value of one row of one column; its row if it has several; ``None`` for no row."""
        ...


class Aggregator(Protocol):
    """What an aggregate function makes of one group of rows."""

    def step(self, value: Value, /) -> None:
        """Take in a row."""
        ...

    def final(self) -> Value:
        """The value for the rows that were taken in."""
        ...


class Connection(Protocol):
    """What this backend uses of the driver's connection, typed. ``apsw.Connection`` is one."""

    authorizer: Any
    """Is asked, for each thing that a statement does, whether it may."""

    def execute(self, statements: str, bindings: Sequence[Value] | Mapping[str, Value] | None = ...) -> Cursor:
        """Run the statements; the first row is made at once."""
        ...

    def executemany(
        self, statements: str, sequenceofbindings: Iterable[Sequence[Value] | Mapping[str, Value]]
    ) -> Cursor:
        """Run the statement once for each set of bindings."""
        ...

    def cursor(self) -> Cursor:
        """A cursor to use again and again; its rows must be taken before it runs the next statement."""
        ...

    def pragma(self, name: str, value: Any = ...) -> Any:
        """Read or set a pragma."""
        ...

    def close(self, force: bool = ...) -> None:  # noqa: FBT001  the driver's own signature
        """Close; ``force`` never raises."""
        ...

    def changes(self) -> int:
        """How many rows the last statement changed."""
        ...

    def data_version(self, schema: str | None = ...) -> int:
        """A number that moves when anybody commits to the file."""
        ...

    def file_control(self, dbname: str, op: int, pointer: int) -> bool:
        """Ask the file system's layer something; whether it knows that."""
        ...

    def readonly(self, name: str) -> bool:
        """Whether the file was opened for reading only."""
        ...

    def table_exists(self, dbname: str | None, table_name: str) -> bool:
        """Whether there is such a table."""
        ...

    def set_busy_timeout(self, milliseconds: int) -> None:
        """How long to wait for a lock of another process."""
        ...

    def set_progress_handler(self, callable: Callable[[], bool] | None, nsteps: int = ...) -> None:  # noqa: A002
        """Ask after so many virtual-machine steps whether to break off."""
        ...

    def create_aggregate_function(
        self, name: str, factory: Callable[[], Aggregator] | None, numargs: int = ..., *, flags: int = ...
    ) -> None:
        """Let statements call an aggregate function of that name; for each group a new one is made."""
        ...

    def set_wal_hook(self, callable: Callable[[Any, str, int], int] | None) -> None:  # noqa: A002
        """Call after each commit, with the pages in the write-ahead log, instead of SQLite's own checkpoints."""
        ...

    def wal_checkpoint(self) -> tuple[int, int]:
        """Copy from the write-ahead log into the file what nobody stands in the way of; pages there, and copied."""
        ...

    def interrupt(self) -> None:
        """Make the statement that runs on another thread fail."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...
