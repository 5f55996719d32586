-- The interned ones among the given tags, where each was seen last, and on what type. Binds: a JSON array of tags.
SELECT tags.tag, tags.id, last.position, last.type
FROM json_each(?) AS wanted
CROSS JOIN tags ON tags.tag = wanted.value
CROSS JOIN event_tags AS last ON last.tag = tags.id
    AND last.position = (SELECT max(position) FROM event_tags WHERE event_tags.tag = tags.id)
