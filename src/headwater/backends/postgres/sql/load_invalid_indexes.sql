-- The indexes of a schema that cannot be relied on. Binds: schema.
SELECT c.relname::text
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT (i.indisvalid AND i.indisready)
