-- Forgets the tables of other versions of a projection. Binds: projection, version.
DELETE FROM projected_tables WHERE projection = ?1 AND version <> ?2
