-- Notes how far the indexes by id and by type are. Binds: position.
UPDATE indexed_up_to SET position = ?
