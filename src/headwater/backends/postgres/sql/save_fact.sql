-- Notes what the store knows about itself. Binds: name, value.
INSERT INTO {schema}.read_store_facts (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value
