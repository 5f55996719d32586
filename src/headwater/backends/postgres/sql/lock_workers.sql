-- Whoever announces itself waits until the end of this transaction.
LOCK TABLE {schema}.workers IN SHARE MODE
