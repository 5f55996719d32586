-- Notes that a table is gone. Binds: name.
DELETE FROM {schema}.projected_tables WHERE name = $1
