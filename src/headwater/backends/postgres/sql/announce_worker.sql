-- A worker lives, and will for so long. Binds: id, host, pid, started, follows, versions, seconds.
INSERT INTO {schema}.workers (id, host, pid, started, follows, versions, lease_until)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7))
ON CONFLICT (id) DO UPDATE
SET versions = EXCLUDED.versions, follows = EXCLUDED.follows, lease_until = EXCLUDED.lease_until
