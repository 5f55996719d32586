-- The indexes made for a table's Indexed() fields. Binds: name of the table.
SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND sql IS NOT NULL
