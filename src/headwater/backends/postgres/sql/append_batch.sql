-- Sends a batch. Numbers and names come as text, which the driver encodes in a third of the time that arrays take it;
-- an empty name means none. Types, versions, metadata and sets come once if all are the same. Binds: see the function.
SELECT a.*
FROM (
    SELECT
        $9::text::integer [] AS types, $10::text::integer [] AS versions, $13::bytea [] AS metadata,
        $17::text::integer [] AS sets, $15::text::integer [] AS requests,
        ARRAY[cardinality($11::uuid [])] AS events
) AS b,
    {schema}.append_batch(
        $1, $2, $3, $4, $5, $6::text::integer [], $7::text::integer [], $8::text::integer [],
        CASE cardinality(b.types) WHEN 1 THEN array_fill(b.types[1], b.events) ELSE b.types END,
        CASE cardinality(b.versions) WHEN 1 THEN array_fill(b.versions[1], b.events) ELSE b.versions END,
        $11, string_to_array($12::text, U&'\001E', ''),
        CASE cardinality(b.metadata) WHEN 1 THEN array_fill(b.metadata[1], b.events) ELSE b.metadata END,
        $14, b.requests, $16::text::bigint [],
        CASE cardinality(b.sets) WHEN 1 THEN array_fill(b.sets[1], ARRAY[cardinality(b.requests)]) ELSE b.sets END,
        string_to_array($18::text, U&'\001E', ''), string_to_array($19::text, U&'\001E', '')
    ) AS a
