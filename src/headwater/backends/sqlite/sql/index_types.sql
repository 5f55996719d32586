-- Fills the index by type. Binds: how far it is.
INSERT INTO event_types (type, position) SELECT type, position FROM events WHERE position > ?
