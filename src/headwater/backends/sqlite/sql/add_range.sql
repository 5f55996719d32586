-- A range of slices. Binds: projection, version, epoch, lowest and highest slice, position, position of the last change,
-- owner, token, side.
INSERT INTO checkpoints (projection, version, epoch, low, high, position, changed_at, owner, token, side)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
