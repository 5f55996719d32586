-- The shape of the rows that a table was made for. Binds: name of the table.
SELECT fingerprint FROM projected_tables WHERE name = ?1
