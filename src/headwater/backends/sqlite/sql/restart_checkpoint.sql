-- A projection is built anew. Binds: projection, version.
UPDATE checkpoints SET position = 0, epoch = epoch + 1 WHERE projection = ?1 AND version = ?2
