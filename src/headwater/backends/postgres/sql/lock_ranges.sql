-- Ranges of a projection that are about to be rearranged, locked in the order of all. Binds: projection, version, epoch,
-- lowest slices.
SELECT position, epoch, changed_at, low, high, token, owner, side FROM {schema}.checkpoints
WHERE projection = $1 AND version = $2 AND epoch = $3 AND low = ANY($4::integer[])
ORDER BY low FOR UPDATE
