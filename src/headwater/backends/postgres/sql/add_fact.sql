-- Notes what the store knows about itself, unless it knows that already. Binds: name, value.
INSERT INTO {schema}.read_store_facts (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING
