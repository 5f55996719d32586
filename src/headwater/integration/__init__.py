"""Work on whole logs, over the port and never over a backend. Read in this order: chain.py, verify.py, replicate.py."""
