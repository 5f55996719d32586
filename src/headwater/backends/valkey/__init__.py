"""Valkey, or Redis: the shared tier of the query cache. Read: cache.py. Needs the extra ``valkey``."""
