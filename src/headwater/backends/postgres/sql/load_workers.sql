-- All workers, and whether each has renewed its lease in time.
SELECT id, host, pid, started, follows, versions, lease_until > clock_timestamp() FROM {schema}.workers ORDER BY id
