-- Every table that was made, and the shape of its rows.
SELECT name, projection, version, fingerprint FROM {schema}.projected_tables
