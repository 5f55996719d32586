-- Where the events with these ids stand, if they do. Binds: a JSON array of hexadecimal ids.
SELECT events.position
FROM json_each(?) AS wanted
CROSS JOIN events ON events.id = unhex(wanted.value)
ORDER BY wanted.key
