-- How far the indexes by id and by type are, and the greatest id in there.
SELECT indexed_up_to.position, (SELECT max(id) FROM event_ids) FROM indexed_up_to
