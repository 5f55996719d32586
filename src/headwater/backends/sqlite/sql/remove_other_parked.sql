-- Forget what other versions of a projection had parked. Binds: projection, version.
DELETE FROM parked WHERE projection = ?1 AND version <> ?2
