"""What event stores and read stores raise. Reads: error_root.py. Read next: errors.py, which draws the whole tree."""

from __future__ import annotations

from headwater.error_root import HeadwaterError


class StoreError(HeadwaterError, OSError):
    """An event store or read store could not do what was asked."""

    code = "store-error"


class UnsupportedUrl(StoreError, ValueError):
    """No backend for that URL, or an option the backend does not know."""

    code = "unsupported-url"


class InvalidAppend(StoreError, ValueError):
    """An append that no store accepts: empty, a wrong type, a tag that is no tag."""

    code = "invalid-append"


class DuplicateEventId(StoreError, ValueError):
    """An event id is already stored, and this is not an exact repeat of that append."""

    code = "duplicate-event-id"


class OtherHistory(StoreError, ValueError):
    """Two logs that should be one are not: ``position`` is where they part, ``head`` where the copy ends."""

    code = "other-history"
    remedy = "copy to an empty log, or to one that is a copy of the same source"


class StoreClosed(StoreError):
    """The store was closed before or while it was asked. Nothing was stored."""

    code = "store-closed"


class StoreBusy(StoreError, TimeoutError):
    """Another process held the file, or the queue stayed full, for longer than the time-out. Nothing was stored."""

    code = "store-busy"


class StoreFull(StoreError):
    """No space left. Nothing was stored; reads go on, and appends work again once there is space."""

    code = "store-full"
    remedy = "free disk space; no restart is needed"


class StoreReadOnly(StoreError, PermissionError):
    """The file or its directory cannot be written."""

    code = "store-read-only"


class StoreCorrupt(StoreError):
    """The file is not a Headwater store, or it is damaged."""

    code = "store-corrupt"


class StoreIOError(StoreError):
    """The disk or the connection failed before the commit. Nothing was stored."""

    code = "store-io-error"


class OutcomeUnknown(StoreError):
    """The commit may or may not have happened. Repeating the append with the same event ids is safe."""

    code = "outcome-unknown"
    remedy = "repeat the append with the same event ids"


class SchemaTooNew(StoreError):
    """The store was written by a newer Headwater: ``found`` and ``known`` schema versions."""

    code = "schema-too-new"
    remedy = "upgrade Headwater"


class SchemaOutdated(StoreError):
    """The store was written by an older Headwater and may not be migrated here."""

    code = "schema-outdated"
    remedy = "run `headwater migrate`, or open with migrations allowed"
