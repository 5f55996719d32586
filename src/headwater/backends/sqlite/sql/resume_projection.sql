-- A projection goes on. Binds: projection.
DELETE FROM paused WHERE projection = ?1
