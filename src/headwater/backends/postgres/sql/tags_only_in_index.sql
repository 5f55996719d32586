-- Entries of the index that are no tag of their event, the first of them. Binds: how many at most.
SELECT t.position, t.tag
FROM {schema}.event_tags AS t LEFT JOIN {schema}.events AS e ON e.position = t.position
WHERE e.position IS NULL OR e.type <> t.type OR t.tag <> ALL(string_to_array(e.tags, U&'\001F'))
ORDER BY t.position LIMIT $1
