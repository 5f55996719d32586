-- A worker has gone. Binds: id.
DELETE FROM {schema}.workers WHERE id = $1
