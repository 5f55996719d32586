-- Forget what other versions of a projection had parked. Binds: projection, version.
DELETE FROM {schema}.parked WHERE projection = $1 AND version <> $2
