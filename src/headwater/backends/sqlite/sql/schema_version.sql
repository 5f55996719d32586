-- The newest migration that was applied.
SELECT max(version) FROM schema_version
