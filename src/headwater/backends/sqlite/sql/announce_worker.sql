-- A worker lives, and will for so long. Binds: id, host, pid, started, follows, versions, seconds.
INSERT OR REPLACE INTO workers (id, host, pid, started, follows, versions, lease_until)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, unixepoch('subsec') + ?7)
