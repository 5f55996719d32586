-- Moves a checkpoint, unless somebody else has moved it or its range was granted anew. Binds: new position, position of
-- the last change, projection, version, epoch, lowest and highest slice, old position, token.
UPDATE checkpoints SET position = ?1, changed_at = ?2
WHERE projection = ?3 AND version = ?4 AND epoch = ?5 AND low = ?6 AND high = ?7 AND position = ?8 AND token = ?9
