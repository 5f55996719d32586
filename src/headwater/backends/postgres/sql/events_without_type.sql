-- Events whose type has no name, the first of them. Binds: how many at most.
SELECT e.position, e.type::text
FROM {schema}.events AS e
WHERE NOT EXISTS (SELECT FROM {schema}.types AS t WHERE t.id = e.type)
ORDER BY e.position LIMIT $1
