-- Replaces the snapshot of a key. Binds: key, position, fingerprint, state.
INSERT INTO {schema}.snapshots (key, position, fingerprint, state) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET
    position = excluded.position, fingerprint = excluded.fingerprint, state = excluded.state
