-- Fills the index by id; of an id that is there twice, which `verify` reports, the first stays. Binds: how far it is.
INSERT OR IGNORE INTO event_ids (id, position) SELECT event_id, position FROM events WHERE position > ?
