-- The event log: everybody reads, only the writer appends, and that by the one function that checks conditions.
REVOKE ALL ON SCHEMA {log} FROM PUBLIC, {writer}, {projector}, {reader};
REVOKE ALL ON ALL TABLES IN SCHEMA {log} FROM PUBLIC, {writer}, {projector}, {reader};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {log} FROM PUBLIC, {writer}, {projector}, {reader};
GRANT USAGE ON SCHEMA {log} TO {writer}, {projector}, {reader};
GRANT SELECT ON {log}.event_log_version, {log}.events, {log}.event_tags, {log}.types, {log}.event_log
TO {writer}, {projector}, {reader};
GRANT EXECUTE ON FUNCTION {log}.read_events TO {writer}, {projector}, {reader};
GRANT EXECUTE ON FUNCTION {log}.append_batch TO {writer};
GRANT SELECT, INSERT, UPDATE ON {log}.snapshots TO {writer};
