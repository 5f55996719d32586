-- What another writer appended. Binds: the last position known.
SELECT position, type, tags FROM events WHERE position > ? ORDER BY position
