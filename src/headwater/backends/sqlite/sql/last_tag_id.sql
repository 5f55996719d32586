-- The highest tag id, 0 for none.
SELECT coalesce(max(id), 0) FROM tags
