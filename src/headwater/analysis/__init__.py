"""Taking a log and its read models elsewhere, to look at them as a whole. Read files.py export.py report.py."""
