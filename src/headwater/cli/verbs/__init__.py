"""One module a verb; each holds its ``command``. Reads: ../root.py."""
