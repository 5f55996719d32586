-- How the server is set up for who asks, and whether they may append. Binds: schema.
SELECT
    current_setting('server_version') AS server_version,
    current_setting('server_version_num')::integer / 10000 AS major_version,
    pg_is_in_recovery() AS is_replica,
    current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AS is_durable,
    current_setting('default_transaction_isolation') AS isolation,
    current_user::text AS role_name,
    current_setting('transaction_read_only') = 'off' AND coalesce((
        SELECT bool_or(has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(n.oid, 'USAGE'))
        FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname = $1 AND p.proname = 'append_batch'
    ), FALSE) AS may_append
