"""The write side: a command in, a receipt out. Read in order: routing, boundaries, idempotency, executor, handlers."""
