-- Forgets workers whose lease ended long ago. Binds: seconds.
DELETE FROM {schema}.workers WHERE lease_until < clock_timestamp() - make_interval(secs => $1)
