-- Nobody holds any more what this worker held. Binds: worker.
UPDATE checkpoints SET owner = '', token = token + 1 WHERE owner = ?1
