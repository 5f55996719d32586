-- Sets a sequence aside, or says at which event it stands now. Binds: as the columns.
INSERT INTO parked (projection, version, sequence, position, event, error, attempts, parked_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (projection, version, sequence) DO UPDATE SET
    position = excluded.position, event = excluded.event, error = excluded.error,
    attempts = excluded.attempts, parked_us = excluded.parked_us
