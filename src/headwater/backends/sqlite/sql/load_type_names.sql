-- All event types.
SELECT id, name FROM types
