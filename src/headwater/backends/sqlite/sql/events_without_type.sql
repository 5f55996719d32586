-- Events whose type has no name.
SELECT events.position, events.type FROM events LEFT JOIN types ON types.id = events.type WHERE types.id IS NULL
