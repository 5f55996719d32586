-- The read store: the projector fills its tables, the reader reads them, the writer does not even see them.
REVOKE ALL ON SCHEMA {rows} FROM PUBLIC, {writer}, {projector}, {reader};
REVOKE ALL ON ALL TABLES IN SCHEMA {rows} FROM PUBLIC, {writer}, {projector}, {reader};
GRANT USAGE ON SCHEMA {rows} TO {projector}, {reader};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {rows} TO {projector};
GRANT SELECT ON ALL TABLES IN SCHEMA {rows} TO {reader};
-- What a migration made is not for those who fill tables.
REVOKE INSERT, UPDATE, DELETE ON {rows}.read_store_version, {rows}.projected_tables FROM {projector};
-- The tables of read models that are added later.
ALTER DEFAULT PRIVILEGES IN SCHEMA {rows} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {projector};
ALTER DEFAULT PRIVILEGES IN SCHEMA {rows} GRANT SELECT ON TABLES TO {reader};
-- A process that projects and answers may answer as the reader: reader_role in the read store's URL.
GRANT {reader} TO {projector};
