"""``python -m headwater.bench``. Read next: command_line.py."""

from headwater.bench import main

if __name__ == "__main__":
    raise SystemExit(main())
