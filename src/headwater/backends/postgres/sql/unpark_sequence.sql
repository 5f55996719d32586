-- A sequence goes on. Binds: projection, version, sequence.
DELETE FROM {schema}.parked WHERE projection = $1 AND version = $2 AND sequence = $3
