-- All events that were left out.
SELECT projection, version, sequence, position, event, error, epoch, discarded_us, discarded_by, reason FROM {schema}.discarded ORDER BY discarded_us, projection, position
