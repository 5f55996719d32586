-- How far every version of every projection is.
SELECT projection, version, position, epoch FROM {schema}.checkpoints
