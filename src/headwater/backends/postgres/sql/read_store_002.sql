-- The read store, version 2: checkpoints of ranges of slices, and the workers that hold them.
ALTER TABLE checkpoints RENAME TO checkpoints_of_all_slices;
ALTER INDEX checkpoints_pkey RENAME TO checkpoints_of_all_slices_pkey;

-- How far each range of slices of each version of each projection is. `epoch` grows when its rows are built anew,
-- `changed_at` is the last position at which one of them changed. `owner` holds the range (empty: nobody); `token` grows
-- with every grant, release, split and merge, so that who lost a range cannot store into it. `side` says in which of
-- two tables the rows stand: while one is answered from, the other may be built anew, in the next epoch.
CREATE TABLE checkpoints (
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    epoch bigint NOT NULL,
    low integer NOT NULL CHECK (low >= 0),
    high integer NOT NULL CHECK (high >= low AND high < 1024),
    position bigint NOT NULL,
    changed_at bigint NOT NULL,
    owner text NOT NULL DEFAULT '',
    token bigint NOT NULL DEFAULT 0,
    side smallint NOT NULL DEFAULT 0 CHECK (side IN (0, 1)),
    PRIMARY KEY (projection, version, epoch, low)
) WITH (fillfactor = 50);

INSERT INTO checkpoints (projection, version, epoch, low, high, position, changed_at)
SELECT projection, version, epoch, 0, 1023, position, position FROM checkpoints_of_all_slices;

DROP TABLE checkpoints_of_all_slices;

-- Processes that have the store open. `versions` says which projections each knows (JSON: name to version), `started`
-- tells it from a later process with its pid. What it holds may be taken from it after `lease_until`.
CREATE TABLE workers (
    id text COLLATE "C" PRIMARY KEY,
    host text NOT NULL,
    pid bigint NOT NULL,
    started text NOT NULL,
    follows boolean NOT NULL,
    versions text NOT NULL,
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);
