-- Forgets the checkpoints of other versions of a projection. Binds: projection, version.
DELETE FROM {schema}.checkpoints WHERE projection = $1 AND version <> $2
