-- Tags of events that the index does not have, the first of them. Binds: how many at most.
SELECT e.position, w.tag
FROM {schema}.events AS e CROSS JOIN LATERAL unnest(string_to_array(e.tags, U&'\001F')) AS w (tag)
WHERE NOT EXISTS (
    SELECT FROM {schema}.event_tags AS t WHERE t.tag = w.tag AND t.type = e.type AND t.position = e.position
)
ORDER BY e.position LIMIT $1
