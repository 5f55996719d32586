-- Notes that a table was made. Binds: name, projection, version, fingerprint.
INSERT OR REPLACE INTO projected_tables (name, projection, version, fingerprint) VALUES (?1, ?2, ?3, ?4)
