-- Whether a version of a projection has taken in any of the log. Binds: projection, version.
SELECT 1 FROM checkpoints WHERE projection = ?1 AND version = ?2 AND position > 0 LIMIT 1
