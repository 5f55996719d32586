-- A projection begins at the start of the log. Binds: projection, version.
INSERT INTO {schema}.checkpoints (projection, version, epoch, low, high, position, changed_at)
SELECT $1::text, $2::integer, 1, 0, 1023, 0, 0
WHERE NOT EXISTS (SELECT 1 FROM {schema}.checkpoints WHERE projection = $1 AND version = $2)
