-- The head of a multi-row insert; rows follow. Binds: the first position, the time, then six values a row.
INSERT INTO events (position, recorded_us, type, version, event_id, tags, metadata, data) VALUES
