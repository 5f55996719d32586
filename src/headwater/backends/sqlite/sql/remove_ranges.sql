-- Forgets how far a version of a projection was. Binds: projection, version.
DELETE FROM checkpoints WHERE projection = ?1 AND version = ?2
