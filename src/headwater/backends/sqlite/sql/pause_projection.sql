-- A projection stands still from now on. Binds: projection, microseconds, by whom.
INSERT INTO paused (projection, paused_us, paused_by) VALUES (?1, ?2, ?3) ON CONFLICT (projection) DO NOTHING
