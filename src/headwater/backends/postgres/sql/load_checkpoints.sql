-- How far every range of every version of every projection is, and who holds it.
SELECT projection, version, position, epoch, changed_at, low, high, token, owner, side FROM {schema}.checkpoints
ORDER BY projection, version, epoch, low
