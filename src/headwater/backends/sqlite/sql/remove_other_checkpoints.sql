-- Forgets how far other versions of a projection were. Binds: projection, version.
DELETE FROM checkpoints WHERE projection = ?1 AND version <> ?2
