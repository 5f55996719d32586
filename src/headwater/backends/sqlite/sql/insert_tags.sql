-- The head of a multi-row insert; rows of (id, tag) follow.
INSERT INTO tags (id, tag) VALUES
