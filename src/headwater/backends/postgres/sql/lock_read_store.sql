-- Until the end of the transaction nobody else changes what this store consists of. What it changes reaches the disk, as
-- nobody would make it again after a crash. Binds: the store's number.
SELECT pg_catalog.pg_advisory_xact_lock($1), pg_catalog.set_config('synchronous_commit', 'on', TRUE)
