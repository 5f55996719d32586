-- Records that an event was left out. Binds: as the columns.
INSERT INTO {schema}.discarded (projection, version, sequence, position, event, error, epoch, discarded_us, discarded_by, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
