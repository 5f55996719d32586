-- Tags that events carry but the index does not have (with that position and type).
SELECT carried.position, carried.tag
FROM (
    SELECT events.position, events.type, each_tag.value AS tag
    FROM events, json_each('[' || replace(json_quote(events.tags), '\u001f', '","') || ']') AS each_tag
    WHERE events.tags <> ''
) AS carried
LEFT JOIN tags ON tags.tag = carried.tag
LEFT JOIN event_tags ON event_tags.tag = tags.id
    AND event_tags.position = carried.position
    AND event_tags.type = carried.type
WHERE event_tags.position IS NULL
