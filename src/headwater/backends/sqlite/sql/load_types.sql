-- All event types and where each was seen last.
SELECT types.name, types.id, coalesce((SELECT max(position) FROM events WHERE events.type = types.id), 0) FROM types
