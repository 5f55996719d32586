-- The events that the indexes by id and by type do not have yet. Binds: how far these are.
SELECT position, type, event_id FROM events WHERE position > ? ORDER BY position
