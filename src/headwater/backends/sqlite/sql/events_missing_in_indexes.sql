-- Events that the indexes by id and by type should have, and one of them does not.
SELECT events.position, CASE WHEN event_ids.id IS NULL THEN 'id' ELSE 'type' END
FROM events
LEFT JOIN event_ids ON event_ids.id = events.event_id
LEFT JOIN event_types ON event_types.type = events.type AND event_types.position = events.position
WHERE events.position <= (SELECT position FROM indexed_up_to)
    AND (event_ids.id IS NULL OR event_types.type IS NULL)
