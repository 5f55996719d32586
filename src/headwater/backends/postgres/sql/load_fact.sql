-- What the store knows about itself. Binds: name.
SELECT value FROM {schema}.read_store_facts WHERE name = $1
