-- The read store, version 3: what failed and was set aside, and which projections stand still by order.

-- Sequences from whose `position` on nothing is applied. `sequence` is the row's key as JSON, or `@position`.
CREATE TABLE parked (
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    sequence text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    event text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    parked_us bigint NOT NULL,
    PRIMARY KEY (projection, version, sequence)
);

-- Events that were left out for good: by whom and why. These records outlive a rebuild.
CREATE TABLE discarded (
    projection text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    sequence text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    event text NOT NULL,
    error text NOT NULL,
    epoch bigint NOT NULL,
    discarded_us bigint NOT NULL,
    discarded_by text NOT NULL,
    reason text NOT NULL
);

-- Projections that no worker takes further, whatever their version, until they are resumed.
CREATE TABLE paused (
    projection text COLLATE "C" PRIMARY KEY,
    paused_us bigint NOT NULL,
    paused_by text NOT NULL
);
