-- Binds: key.
SELECT position, fingerprint, state FROM snapshots WHERE key = ?
