-- Events whose id another event has: among those that are indexed, and among the few that are not yet.
SELECT position, lower(hex(event_id))
FROM events
WHERE EXISTS (SELECT 1 FROM event_ids WHERE event_ids.id = events.event_id AND event_ids.position <> events.position)
    OR position > (SELECT position FROM indexed_up_to) AND EXISTS (
        SELECT 1
        FROM events AS earlier
        WHERE earlier.position > (SELECT position FROM indexed_up_to)
            AND earlier.position < events.position
            AND earlier.event_id = events.event_id
    )
