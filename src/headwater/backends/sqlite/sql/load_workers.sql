-- All workers, and whether each has renewed its lease in time.
SELECT id, host, pid, started, follows, versions, lease_until > unixepoch('subsec') FROM workers ORDER BY id
