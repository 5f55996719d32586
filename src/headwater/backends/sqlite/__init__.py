"""The SQLite backend: an event log and read models, each in one file.

Read in this order: driver.py, errors.py, connection.py, statements.py, schema.py, then event_store.py.
"""
