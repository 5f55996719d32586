-- Notes what the store knows about itself. Binds: name, value.
INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)
