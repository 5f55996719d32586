-- How large the events after a position are, without reading them. Binds: position, how many at most.
SELECT octet_length(data) + octet_length(metadata) + octet_length(tags) AS size
FROM {schema}.events WHERE position > $1 ORDER BY position LIMIT $2
