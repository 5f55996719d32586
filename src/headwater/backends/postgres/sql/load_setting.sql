-- A setting of the connection, NULL for one that nobody made. Binds: its name.
SELECT pg_catalog.current_setting($1, TRUE)
