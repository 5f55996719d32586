-- A projection begins again at the start of the log. Binds: projection, version.
UPDATE {schema}.checkpoints SET position = 0, epoch = epoch + 1 WHERE projection = $1 AND version = $2
