-- The event log, version 1.
-- Types and tags are interned: a log repeats few names very often, and integer keys keep what is active together
-- on the same pages.
CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    applied_at TEXT NOT NULL
) STRICT;

CREATE TABLE types (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE tags (
    id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE
) STRICT;

-- Tags stand here once more, joined by U+001F, so that reading an event needs no second table.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    type INTEGER NOT NULL,
    version INTEGER NOT NULL,
    recorded_us INTEGER NOT NULL,
    id BLOB NOT NULL,
    tags TEXT NOT NULL,
    metadata BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_id ON events (id);
CREATE INDEX events_by_type ON events (type);

CREATE TABLE event_tags (
    tag INTEGER NOT NULL,
    position INTEGER NOT NULL,
    type INTEGER NOT NULL,
    PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    key TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    state BLOB NOT NULL
) STRICT;

CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events
BEGIN
    SELECT raise(ABORT, 'events cannot be updated');
END;

CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
BEGIN
    SELECT raise(ABORT, 'events cannot be deleted');
END;

CREATE TRIGGER event_tags_are_never_updated BEFORE UPDATE ON event_tags
BEGIN
    SELECT raise(ABORT, 'events cannot be updated');
END;

CREATE TRIGGER event_tags_are_never_deleted BEFORE DELETE ON event_tags
BEGIN
    SELECT raise(ABORT, 'events cannot be deleted');
END;

CREATE TRIGGER types_are_never_updated BEFORE UPDATE ON types
BEGIN
    SELECT raise(ABORT, 'types cannot be updated');
END;

CREATE TRIGGER types_are_never_deleted BEFORE DELETE ON types
BEGIN
    SELECT raise(ABORT, 'types cannot be deleted');
END;

CREATE TRIGGER tags_are_never_updated BEFORE UPDATE ON tags
BEGIN
    SELECT raise(ABORT, 'tags cannot be updated');
END;

CREATE TRIGGER tags_are_never_deleted BEFORE DELETE ON tags
BEGIN
    SELECT raise(ABORT, 'tags cannot be deleted');
END;

-- INSERT OR REPLACE deletes without asking the triggers above.
CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE position >= NEW.position) OR EXISTS (SELECT 1 FROM events WHERE id = NEW.id)
BEGIN
    SELECT raise(ABORT, 'events cannot be replaced');
END;

CREATE TRIGGER types_are_never_replaced BEFORE INSERT ON types
WHEN EXISTS (SELECT 1 FROM types WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM types WHERE name = NEW.name)
BEGIN
    SELECT raise(ABORT, 'types cannot be replaced');
END;

CREATE TRIGGER tags_are_never_replaced BEFORE INSERT ON tags
WHEN EXISTS (SELECT 1 FROM tags WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM tags WHERE tag = NEW.tag)
BEGIN
    SELECT raise(ABORT, 'tags cannot be replaced');
END;
