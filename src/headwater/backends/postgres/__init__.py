"""The PostgreSQL backend: an event log and read models, each in a schema of a database, the same or another.

Read in this order: driver.py, errors.py, connection.py, statements.py, schema.py, then event_store.py.
"""
