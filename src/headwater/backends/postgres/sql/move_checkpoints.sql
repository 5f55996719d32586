-- Moves checkpoints, each unless somebody else has moved it or its range was granted anew, and names those that it
-- moved. They are locked in one order, so that two processes never wait for each other. Binds, as arrays: projection,
-- version, epoch, lowest and highest slice, old position, token, new position, position of the last change.
WITH wanted AS (
    SELECT * FROM unnest(
        $1::text[], $2::integer[], $3::bigint[], $4::integer[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[]
    ) AS given (projection, version, epoch, low, high, start, token, position, changed_at)
), locked AS (
    SELECT stored.projection, stored.version, stored.epoch, stored.low, stored.high, stored.position, stored.token
    FROM {schema}.checkpoints AS stored JOIN wanted USING (projection, version, epoch, low)
    ORDER BY stored.projection, stored.version, stored.epoch, stored.low
    FOR UPDATE OF stored
)
UPDATE {schema}.checkpoints AS stored SET position = wanted.position, changed_at = wanted.changed_at
FROM wanted JOIN locked USING (projection, version, epoch, low)
WHERE stored.projection = wanted.projection AND stored.version = wanted.version
    AND stored.epoch = wanted.epoch AND stored.low = wanted.low
    AND locked.high = wanted.high AND locked.position = wanted.start AND locked.token = wanted.token
RETURNING stored.projection, stored.low
