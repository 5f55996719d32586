-- Whether there is such a schema. Binds: its name.
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)
