"""What an application is opened and served with, looked at before anything is begun with it.

Reads: errors.py. Read next: opening.py, http/options.py. A setting of a wrong kind would else be found out late, far
from who gave it, or never: a lease of nan seconds never ends.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Any

from headwater.errors import InvalidSetting
from headwater.limits import is_seconds


def check_setting(setting: str, value: Any, wanted: str, *, holds: bool) -> None:
    """Raise ``InvalidSetting`` unless it ``holds`` what is ``wanted``."""
    if not holds:
        raise InvalidSetting(f"{setting} cannot be {value!r}", remedy=f"give {wanted}", setting=setting)


def check_kind(setting: str, value: Any, kind: type, wanted: str) -> None:
    """A thing of that kind, where another has methods of the same names, or fails later."""
    check_setting(setting, value, wanted, holds=isinstance(value, kind))


def check_flag(setting: str, value: Any) -> None:
    """Only ``True`` and ``False`` are meant by what they look like; ``"no"`` would be true."""
    check_setting(setting, value, "True or False", holds=isinstance(value, bool))


def check_count(setting: str, value: Any, *, least: int) -> None:
    """A whole number from ``least`` on."""
    check_setting(setting, value, f"a whole number from {least}", holds=type(value) is int and value >= least)


def check_wait(setting: str, value: Any) -> None:
    """A time that may pass or may not: in seconds from 0."""
    check_setting(setting, value, "seconds from 0", holds=is_seconds(value) and isfinite(value))


def check_period(setting: str, value: Any, *, most: float = inf) -> None:
    """A time that has to pass: in seconds above 0, at ``most`` as many."""
    wanted = "seconds above 0" if most == inf else f"seconds above 0, and at most {most:g}"
    check_setting(setting, value, wanted, holds=is_seconds(value) and isfinite(value) and 0 < value <= most)
