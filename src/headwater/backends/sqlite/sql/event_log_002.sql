-- The event log, version 2: the indexes by id and by type are tables that are filled some events behind the log.
-- An append of one event wrote a page of each; now one in 64 does. What stands after `indexed_up_to` is looked through.
DROP TRIGGER events_are_never_replaced;
DROP INDEX events_by_id;
DROP INDEX events_by_type;

-- A process of an older version that has the file open trusts an index that is gone. Its statements fail from here on.
ALTER TABLE events RENAME COLUMN id TO event_id;

CREATE TABLE event_ids (
    id BLOB PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event_types (
    type INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (type, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE indexed_up_to (
    position INTEGER NOT NULL
) STRICT;

INSERT INTO event_ids (id, position) SELECT event_id, position FROM events ORDER BY event_id;
INSERT INTO event_types (type, position) SELECT type, position FROM events ORDER BY type, position;
INSERT INTO indexed_up_to (position) SELECT coalesce(max(position), 0) FROM events;

CREATE TRIGGER event_ids_are_never_updated BEFORE UPDATE ON event_ids
BEGIN
    SELECT raise(ABORT, 'events cannot be updated');
END;

CREATE TRIGGER event_ids_are_never_deleted BEFORE DELETE ON event_ids
BEGIN
    SELECT raise(ABORT, 'events cannot be deleted');
END;

CREATE TRIGGER event_types_are_never_updated BEFORE UPDATE ON event_types
BEGIN
    SELECT raise(ABORT, 'events cannot be updated');
END;

CREATE TRIGGER event_types_are_never_deleted BEFORE DELETE ON event_types
BEGIN
    SELECT raise(ABORT, 'events cannot be deleted');
END;

CREATE TRIGGER indexed_up_to_never_goes_back BEFORE UPDATE ON indexed_up_to
WHEN NEW.position < OLD.position
BEGIN
    SELECT raise(ABORT, 'indexed events stay indexed');
END;

CREATE TRIGGER indexed_up_to_is_never_deleted BEFORE DELETE ON indexed_up_to
BEGIN
    SELECT raise(ABORT, 'indexed events stay indexed');
END;

-- INSERT OR REPLACE deletes without asking the triggers above.
CREATE TRIGGER events_are_never_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE position >= NEW.position)
BEGIN
    SELECT raise(ABORT, 'events cannot be replaced');
END;
