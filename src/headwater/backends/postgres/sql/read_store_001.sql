-- The read store, version 1. The tables of the read models are made when an application is opened.

-- What the store knows about itself: `cursor_key` (signs page cursors), `log` (the id of the log's first event).
CREATE TABLE read_store_facts (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

-- How far each version of each projection is. `epoch` grows when its rows are built anew.
CREATE TABLE checkpoints (
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (projection, version)
) WITH (fillfactor = 50);

-- Which tables belong to it, and the shape of their rows.
CREATE TABLE projected_tables (
    name text COLLATE "C" PRIMARY KEY,
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    fingerprint text NOT NULL
);
