-- The read store, version 1. The tables of the read models are made when an application is opened.
CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    applied_at TEXT NOT NULL
) STRICT;

-- What the store knows about itself: `cursor_key` (signs page cursors), `log` (the id of the log's first event).
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- How far each version of each projection is. `epoch` grows when its rows are built anew.
CREATE TABLE checkpoints (
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (projection, version)
) STRICT, WITHOUT ROWID;

-- Which tables belong to it, and the shape of their rows.
CREATE TABLE projected_tables (
    name TEXT PRIMARY KEY,
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    fingerprint TEXT NOT NULL
) STRICT, WITHOUT ROWID;
