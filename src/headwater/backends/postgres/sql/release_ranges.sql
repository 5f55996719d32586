-- Nobody holds any more what this worker held; locked in the order of all. Binds: worker.
WITH held AS (
    SELECT projection, version, epoch, low FROM {schema}.checkpoints WHERE owner = $1
    ORDER BY projection, version, epoch, low FOR UPDATE
)
UPDATE {schema}.checkpoints AS stored SET owner = '', token = stored.token + 1 FROM held
WHERE stored.projection = held.projection AND stored.version = held.version
    AND stored.epoch = held.epoch AND stored.low = held.low
