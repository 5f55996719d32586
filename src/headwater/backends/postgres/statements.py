"""The SQL of this backend: one statement a file under ``sql/``, named as the operation. Read next: schema.py."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def statement(name: str) -> str:
    """The text of ``sql/<name>.sql`` without its comment lines."""
    text = files("headwater.backends.postgres").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip()
