-- How many rows a table is thought to have, and which words of its texts are common, each with the share of rows that
-- have it. NULL for what was never analysed. Binds: schema, table.
SELECT class.reltuples::float8, stats.most_common_elems::text::text[], stats.most_common_elem_freqs::float8[]
FROM pg_class AS class
JOIN pg_namespace AS place ON place.oid = class.relnamespace
LEFT JOIN pg_stats AS stats
    ON stats.schemaname = place.nspname AND stats.tablename = class.relname AND stats.attname = 'search__vector'
WHERE place.nspname = $1 AND class.relname = $2
