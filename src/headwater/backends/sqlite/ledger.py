"""What the writer knows of the log, and how it places appends in it. Reads: late_indexes.py. Read next: writer.py.

For each tag it has met lately and for every event type the ledger knows the last position, so most conditions are
decided without SQL: nothing that matches can stand after ``after`` if a tag's last position does not. This holds
because only this connection writes, or because ``begin`` noticed that somebody else did and read what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import groupby, islice
from operator import attrgetter
from time import perf_counter

import msgspec

from headwater.backends.sqlite.driver import Connection, Row, Value
from headwater.backends.sqlite.lanes import Lane
from headwater.backends.sqlite.late_indexes import LateIndexes
from headwater.backends.sqlite.plans import probe
from headwater.backends.sqlite.reading import TAG_SEPARATOR
from headwater.backends.sqlite.statements import statement
from headwater.backends.sqlite.wal_room import WalRoom
from headwater.errors import DuplicateEventId
from headwater.event_store.protocol import (
    AppendCondition,
    Appended,
    Conflict,
    EventQuery,
    NewEvent,
    QueryItem,
    RecordedEvent,
    Snapshot,
)
from headwater.event_store.replica import check_goes_on, twice

_TAGS_KEPT = 32_768
_NEWS_READ = 10_000
_ROWS_PER_STATEMENT = 256
_EVENT_WIDTH = 6
_ABSENT = (0, 0, 0)


class Ledger:
    """The log as one writing connection sees it. Between ``begin`` and ``end`` a transaction is open."""

    def __init__(self, connection: Connection, room: WalRoom, busy_timeout_seconds: float) -> None:
        self.connection = connection
        self._room = room
        connection.set_wal_hook(self._note_pages)
        self.wal_pages = 0
        self._busy_milliseconds = int(busy_timeout_seconds * 1000)
        self._patient = True
        self._execute = connection.cursor().execute
        self.head = 0
        self.committing = False
        self.flush_seconds = 0.0
        self.tags: dict[str, list[int]] = {}  # tag -> its id, its last position, the type there
        self._types: dict[str, list[int]] = {}  # type -> its id, its last position
        self._type_ids: dict[str, int] = {}
        self._last_tag_id = 0
        self._now = 0
        self._version = -1
        self._events: list[Value] = []
        self._event_tags: list[Value] = []
        self._new_tags: list[Value] = []
        self._first_unwritten = 1
        self._late = LateIndexes(self._execute)
        self._load_tag = statement("load_tag")
        self._lane = Lane(connection)

    # -- a transaction

    def be_patient(self, patient: bool) -> None:  # noqa: FBT001  the one thing it says
        """Whether ``begin`` waits for another process that holds the file."""
        if patient is not self._patient:
            self._patient = patient
            self.connection.set_busy_timeout(self._busy_milliseconds if patient else 0)

    def begin(self, now_us: int) -> None:
        """Open a transaction, and catch up with other writers of the file."""
        self._execute("BEGIN IMMEDIATE")
        self._now = now_us
        if self.connection.data_version() != self._version:
            self._catch_up()
        if len(self.tags) > _TAGS_KEPT:
            for tag in list(islice(self.tags, _TAGS_KEPT // 4)):
                del self.tags[tag]

    def end(self) -> None:
        """Write what was placed, and commit it durably."""
        self.write()
        self._late.fill(self.head)
        self._room.ensure(self.wal_pages)
        self.committing = True
        started = perf_counter()
        self._execute("COMMIT")
        self.flush_seconds = perf_counter() - started
        self.committing = False
        self._version = self.connection.data_version()

    def read(self, sql: str, values: Sequence[Value]) -> list[Row]:
        """Rows of a short read, with no transaction open. Raises ``InterruptError`` if it takes many steps."""
        lane = self._lane
        lane.limited, lane.spent = True, 0
        try:
            return lane.execute(sql, values).fetchall()
        finally:
            lane.limited = False

    def _note_pages(self, _connection: object, _database: str, pages: int) -> int:
        self.wal_pages = pages
        return 0

    def abandon(self) -> None:
        """Undo the transaction and forget what may have depended on it."""
        self._events, self._event_tags, self._new_tags = [], [], []
        self.tags.clear()
        self._version = -1
        if self.connection.in_transaction:
            self._execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection; an open transaction is undone."""
        self.connection.close(force=True)
        self._room.close()

    def write(self) -> None:
        """Bring what was placed so far into the transaction, where SQL sees it."""
        if self._new_tags:
            rows, self._new_tags = self._new_tags, []
            self._insert("insert_tags", "(?, ?)", 2, rows)
        if self._events:
            rows, self._events = self._events, []
            self._insert_events(rows)
            rows, self._event_tags = self._event_tags, []
            self._insert("insert_event_tags", "(?, ?, ?)", 3, rows)
        self._first_unwritten = self.head + 1

    # -- appends

    def append(self, events: Sequence[NewEvent], condition: AppendCondition | None) -> Appended | Conflict:
        """Place the events, unless the condition fails. If just these are stored, give the first outcome again.

        Raises ``DuplicateEventId``.
        """
        found = self._late.positions_of(events)
        if found:  # its acknowledgement was lost
            first = found[0]
            if found != list(range(first, first + len(events))):
                raise DuplicateEventId(
                    "an event id is stored already, in another append", remedy="give new events new ids"
                )
            return Appended(first, found[-1], replayed=True)
        if condition is not None and condition.after < self.head:
            position = self._last_match(condition.fail_if, condition.after)
            if position > condition.after:
                return Conflict(position)
        return self._place(events)

    def copy(self, events: Sequence[RecordedEvent]) -> int:
        """Place events of another log as they stand there, times included; return the head.

        Raises ``OtherHistory``, ``InvalidAppend``, ``DuplicateEventId``.
        """
        check_goes_on(events, self.head)
        if self._late.positions_of(events):
            raise twice()
        self.write()
        self.learn_tags({tag for event in events for tag in event.tags})
        now = self._now
        for self._now, together in groupby(events, attrgetter("recorded_us")):
            self._place(list(together))
            self.write()
        self._now = now
        return self.head

    def save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        """Replace the snapshot of that key."""
        values = (key, snapshot.position, snapshot.fingerprint, snapshot.state)
        self._execute(statement("save_snapshot"), values)

    def learn_tags(self, tags: set[str]) -> None:
        """Look up together what is not known of the tags that the next appends will ask for."""
        known = self.tags
        unknown = tags.difference(known)
        if not unknown:
            return
        wanted = msgspec.json.encode(unknown).decode()
        for tag, tag_id, position, type_id in self._execute(statement("load_tags"), (wanted,)).fetchall():
            known[tag] = [tag_id, position, type_id]
        for tag in unknown:
            known.setdefault(tag, [*_ABSENT])

    # -- conditions

    def _last_match(self, query: EventQuery, after: int) -> int:
        """A position after ``after`` that the query matches; if there is none, one that is not after it."""
        if not query.items:
            return self.head
        doubtful: list[QueryItem] = []
        tags = self.tags
        for item in query.items:
            if len(item.tags) == 1 and (entry := tags.get(item.tags[0])) and entry[1] <= after:
                continue
            position = self._known_match(item, after)
            if position > after:
                return position
            if position < 0:
                doubtful.append(item)
        if not doubtful:
            return 0
        self.write()
        sql, values = probe(doubtful, self._type_ids, after)
        rows = self._execute(sql, values).fetchall()
        return int(rows[0][0]) if rows else 0

    def _known_match(self, item: QueryItem, after: int) -> int:
        """A position that the item matches, 0 if surely none after ``after``, -1 if only SQL can tell."""
        if not item.tags:
            types = self._types
            return max((types[name][1] for name in item.types if name in types), default=0)
        tags = self.tags
        latest = [-1, -1, -1]
        alike = True
        for tag in item.tags:
            entry = tags.get(tag) or self._learn_tag(tag)
            if entry[1] <= after:
                return 0
            alike = alike and latest[1] in (-1, entry[1])
            latest = entry
        if alike and (not item.types or latest[2] in {self._type_ids.get(name, 0) for name in item.types}):
            return latest[1]
        return -1

    def _learn_tag(self, tag: str) -> list[int]:
        rows = self._execute(self._load_tag, (tag,)).fetchall()
        entry = self.tags[tag] = [*rows[0]] if rows else [*_ABSENT]
        return entry

    # -- placing

    def _place(self, events: Sequence[NewEvent] | Sequence[RecordedEvent]) -> Appended:
        first = position = self.head + 1
        known, types = self.tags, self._types
        self._late.placed(events, position)
        for event in events:
            kind = types.get(event.type) or self._new_type(event.type)
            kind[1] = position
            type_id = kind[0]
            tags = event.tags
            for tag in tags:
                entry = known.get(tag) or self._learn_tag(tag)
                if not entry[0]:
                    self._intern(tag, entry)
                entry[1] = position
                entry[2] = type_id
                self._event_tags += (entry[0], position, type_id)
            text = tags[0] if len(tags) == 1 else TAG_SEPARATOR.join(tags)
            self._events += (type_id, event.version, event.id.bytes, text, event.metadata, event.data)
            position += 1
        self.head = position - 1
        return Appended(first, self.head)

    def _new_type(self, name: str) -> list[int]:
        type_id = len(self._types) + 1
        self._execute(statement("insert_type"), (type_id, name))
        self._type_ids[name] = type_id
        entry = self._types[name] = [type_id, 0]
        return entry

    def _intern(self, tag: str, entry: list[int]) -> None:
        self._last_tag_id += 1
        entry[0] = self._last_tag_id
        self._new_tags += (entry[0], tag)

    # -- SQL

    def _insert_events(self, rows: list[Value]) -> None:
        if len(rows) == _EVENT_WIDTH:  # a lone append; all it does not do is felt
            self._execute(_events_insert(1), (self._first_unwritten, self._now, *rows))
            return
        position, start = self._first_unwritten, 0
        for size in _sizes(len(rows) // _EVENT_WIDTH):
            end = start + size * _EVENT_WIDTH
            self._execute(_events_insert(size), [position, self._now, *rows[start:end]])
            position, start = position + size, end

    def _insert(self, name: str, row: str, width: int, rows: list[Value]) -> None:
        if len(rows) == width:
            self._execute(_rows_insert(name, row, 1), rows)
            return
        start = 0
        for size in _sizes(len(rows) // width):
            end = start + size * width
            self._execute(_rows_insert(name, row, size), rows[start:end])
            start = end

    # -- catching up

    def _catch_up(self) -> None:
        """Another connection wrote, or this is the first transaction: read what is new, or start afresh."""
        head = self._execute(statement("read_head")).fetchall()[0][0]
        not_indexed = self._late.load()
        self._last_tag_id = self._execute(statement("last_tag_id")).fetchall()[0][0]
        types = self._execute(statement("load_types")).fetchall()
        self._types = {name: [type_id, position] for name, type_id, position in types}
        self._type_ids = {name: type_id for name, type_id, _ in types}
        names = {type_id: name for name, type_id, _ in types}
        for position, type_id in not_indexed:
            self._types[names[type_id]][1] = position
        if self._version < 0 or head - self.head > _NEWS_READ:
            self.tags.clear()
        else:
            for position, type_id, text in self._execute(statement("news_since"), (self.head,)).fetchall():
                for tag in text.split(TAG_SEPARATOR):
                    entry = self.tags.get(tag)
                    if entry and entry[0]:
                        entry[1:] = position, type_id
                    else:  # unknown, or thought to be absent
                        self.tags.pop(tag, None)
        self.head = head
        self._first_unwritten = head + 1


@lru_cache(maxsize=1_024)
def _sizes(rows: int) -> list[int]:
    """Powers of two that add up to the rows, so that few statements serve every batch and stay prepared."""
    sizes = [_ROWS_PER_STATEMENT] * (rows // _ROWS_PER_STATEMENT)
    rest = rows % _ROWS_PER_STATEMENT
    return sizes + [1 << bit for bit in range(_ROWS_PER_STATEMENT.bit_length(), -1, -1) if rest >> bit & 1]


@cache
def _events_insert(rows: int) -> str:
    """Binds: the first position, the time, then for each row type, version, id, tags, metadata, data."""
    values = (", ".join(f"?{row * _EVENT_WIDTH + bind}" for bind in range(3, 9)) for row in range(rows))
    return statement("insert_events") + ", ".join(f" (?1 + {row}, ?2, {bound})" for row, bound in enumerate(values))


@cache
def _rows_insert(name: str, row: str, rows: int) -> str:
    return f"{statement(name)} {', '.join([row] * rows)}"
