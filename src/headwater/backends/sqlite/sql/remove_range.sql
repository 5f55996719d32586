-- A range is no more, or has another shape. Binds: projection, version, epoch, lowest slice.
DELETE FROM checkpoints WHERE projection = ?1 AND version = ?2 AND epoch = ?3 AND low = ?4
