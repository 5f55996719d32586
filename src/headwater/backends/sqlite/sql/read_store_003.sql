-- The read store, version 3: what failed and was set aside, and which projections stand still by order.

-- Sequences from whose `position` on nothing is applied. `sequence` is the row's key as JSON, or `@position`.
CREATE TABLE parked (
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence TEXT NOT NULL,
    position INTEGER NOT NULL,
    event TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    parked_us INTEGER NOT NULL,
    PRIMARY KEY (projection, version, sequence)
) STRICT, WITHOUT ROWID;

-- Events that were left out for good: by whom and why. These records outlive a rebuild.
CREATE TABLE discarded (
    projection TEXT NOT NULL,
    version INTEGER NOT NULL,
    sequence TEXT NOT NULL,
    position INTEGER NOT NULL,
    event TEXT NOT NULL,
    error TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    discarded_us INTEGER NOT NULL,
    discarded_by TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

-- Projections that no worker takes further, whatever their version, until they are resumed.
CREATE TABLE paused (
    projection TEXT PRIMARY KEY,
    paused_us INTEGER NOT NULL,
    paused_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;
