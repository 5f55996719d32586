-- All event types and where the index saw each last.
SELECT name, id, coalesce((SELECT max(position) FROM event_types WHERE event_types.type = types.id), 0) FROM types
