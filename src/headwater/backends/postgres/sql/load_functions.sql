-- The functions of a schema and their bodies. Binds: schema.
SELECT p.proname::text, p.prosrc
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = $1
