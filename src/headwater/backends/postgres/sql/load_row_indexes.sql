-- The indexes made for Indexed() fields, with their tables. Binds: schema.
SELECT tablename, indexname FROM pg_catalog.pg_indexes WHERE schemaname = $1 AND indexname LIKE 'ix\_%'
