-- Moves checkpoints, each unless somebody else has moved it, and names those that it moved. They are locked in one order,
-- so that two processes never wait for each other. Binds, as arrays: projection, version, old position, epoch, new.
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[])
        AS given (projection, version, start, epoch, position)
), locked AS (
    SELECT stored.projection, stored.version, stored.position, stored.epoch
    FROM {schema}.checkpoints AS stored JOIN wanted USING (projection, version)
    ORDER BY stored.projection, stored.version
    FOR UPDATE OF stored
)
UPDATE {schema}.checkpoints AS stored SET position = wanted.position
FROM wanted, locked
WHERE stored.projection = wanted.projection AND stored.version = wanted.version
    AND locked.projection = wanted.projection AND locked.version = wanted.version
    AND locked.position = wanted.start AND locked.epoch = wanted.epoch
RETURNING stored.projection
