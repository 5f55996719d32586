-- A projection goes on. Binds: projection.
DELETE FROM {schema}.paused WHERE projection = $1
