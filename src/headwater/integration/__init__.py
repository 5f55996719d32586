"""Work on whole logs, over the port and never over a backend. Read next: verify.py."""
