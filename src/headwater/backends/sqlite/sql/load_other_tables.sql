-- The tables of other versions of a projection. Binds: projection, version.
SELECT name FROM projected_tables WHERE projection = ?1 AND version <> ?2
