-- A sequence goes on. Binds: projection, version, sequence.
DELETE FROM parked WHERE projection = ?1 AND version = ?2 AND sequence = ?3
