-- Replaces the snapshot of a key. Binds: key, position, fingerprint, state.
INSERT INTO snapshots (key, position, fingerprint, state) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
    position = excluded.position, fingerprint = excluded.fingerprint, state = excluded.state
