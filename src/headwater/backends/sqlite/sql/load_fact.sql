-- What the store knows about itself. Binds: name.
SELECT value FROM facts WHERE name = ?1
