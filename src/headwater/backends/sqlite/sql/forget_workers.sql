-- Forgets workers whose lease ended long ago. Binds: seconds.
DELETE FROM workers WHERE lease_until < unixepoch('subsec') - ?1
