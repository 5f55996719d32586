-- Until the end of the transaction nobody else changes what this store consists of. Binds: the store's number.
SELECT pg_catalog.pg_advisory_xact_lock($1)
