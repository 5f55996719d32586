-- A projection begins at the start of the log. Binds: projection, version.
INSERT INTO checkpoints (projection, version, epoch, low, high, position, changed_at)
SELECT ?1, ?2, 1, 0, 1023, 0, 0
WHERE NOT EXISTS (SELECT 1 FROM checkpoints WHERE projection = ?1 AND version = ?2)
