-- Notes that a table was made. Binds: name, projection, version, fingerprint.
INSERT INTO {schema}.projected_tables (name, projection, version, fingerprint) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET projection = EXCLUDED.projection, version = EXCLUDED.version, fingerprint = EXCLUDED.fingerprint
