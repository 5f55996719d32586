-- The triggers of a schema's tables, and whether they fire. Binds: schema.
SELECT t.tgname::text, t.tgenabled::text IN ('O', 'A')
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT t.tgisinternal
