-- A version of a projection begins anew. Binds: projection, version.
DELETE FROM {schema}.parked WHERE projection = $1 AND version = $2
