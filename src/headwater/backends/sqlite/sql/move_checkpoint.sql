-- Moves a checkpoint, unless somebody else has moved it. Binds: new position, projection, version, old position, epoch.
UPDATE checkpoints SET position = ?1 WHERE projection = ?2 AND version = ?3 AND position = ?4 AND epoch = ?5
