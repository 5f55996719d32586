-- From here to the end of the transaction wait for no lock for long: others wait meanwhile for what is locked already.
SELECT pg_catalog.set_config('lock_timeout', '250ms', TRUE)
