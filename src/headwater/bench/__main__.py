"""``python -m headwater.bench``. Read next: command_line.py."""

from headwater.bench import WrongWords, main

if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except WrongWords as error:
        raise SystemExit(f"error: {error}") from None
