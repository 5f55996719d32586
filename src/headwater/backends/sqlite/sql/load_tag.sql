-- The number of a tag, where it was seen last, and on what type. Binds: the tag.
SELECT tags.id, last.position, last.type
FROM tags
CROSS JOIN event_tags AS last ON last.tag = tags.id
WHERE tags.tag = ?
ORDER BY last.position DESC
LIMIT 1
