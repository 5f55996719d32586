-- A projection begins at the start of the log. Binds: projection, version.
INSERT INTO {schema}.checkpoints (projection, version, position, epoch) VALUES ($1, $2, 0, 1) ON CONFLICT DO NOTHING
