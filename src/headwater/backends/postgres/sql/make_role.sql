-- Makes a role that may log in, unless it is there. Its password is set elsewhere, or it needs none.
DO $make$ BEGIN IF to_regrole({literal}) IS NULL THEN CREATE ROLE {role} LOGIN; END IF; END $make$;
