-- Where the event with this id stands, if it is indexed. Binds: id.
SELECT position FROM event_ids WHERE id = ?
