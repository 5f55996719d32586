-- Interns an event type. Binds: id, name.
INSERT INTO types (id, name) VALUES (?, ?)
