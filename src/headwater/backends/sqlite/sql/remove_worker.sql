-- A worker has gone. Binds: id.
DELETE FROM workers WHERE id = ?1
