-- Entries of the index whose event does not exist or does not carry that tag.
SELECT event_tags.position, coalesce(tags.tag, 'tag number ' || event_tags.tag)
FROM event_tags
LEFT JOIN tags ON tags.id = event_tags.tag
LEFT JOIN events ON events.position = event_tags.position
WHERE events.position IS NULL
    OR tags.tag IS NULL
    OR instr(char(31) || events.tags || char(31), char(31) || tags.tag || char(31)) = 0
