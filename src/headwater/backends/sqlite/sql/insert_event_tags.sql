-- The head of a multi-row insert; rows of (tag, position, type) follow.
INSERT OR FAIL INTO event_tags (tag, position, type) VALUES
