-- Entries of the indexes by id and by type whose event does not exist or has another one.
SELECT event_ids.position, 'id'
FROM event_ids
LEFT JOIN events ON events.position = event_ids.position
WHERE events.event_id IS NOT event_ids.id
UNION ALL
SELECT event_types.position, 'type'
FROM event_types
LEFT JOIN events ON events.position = event_types.position
WHERE events.type IS NOT event_types.type
