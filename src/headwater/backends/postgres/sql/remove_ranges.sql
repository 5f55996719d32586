-- Ranges are no more, or have another shape. Binds: projection, version, epoch, lowest slices.
DELETE FROM {schema}.checkpoints WHERE projection = $1 AND version = $2 AND epoch = $3 AND low = ANY($4::integer[])
