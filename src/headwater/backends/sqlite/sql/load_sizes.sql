-- How large the events after a position are, without reading them. Binds: position, how many at most.
SELECT length(data) + length(metadata) + octet_length(tags) FROM events WHERE position > ?1 ORDER BY position LIMIT ?2
