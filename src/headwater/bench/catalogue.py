"""The groups by name, in the order they run. Reads: every group. Read next: command_line.py."""

from __future__ import annotations

from headwater.bench.append import APPEND
from headwater.bench.ask import ASK
from headwater.bench.commands import COMMANDS
from headwater.bench.figures import Group
from headwater.bench.footprint import FOOTPRINT
from headwater.bench.load import LOAD
from headwater.bench.postgres_append import POSTGRES_APPEND, POSTGRES_SLOW_FSYNC
from headwater.bench.postgres_ask import POSTGRES_ASK
from headwater.bench.postgres_commands import POSTGRES_COMMANDS
from headwater.bench.postgres_decay import POSTGRES_DECAY
from headwater.bench.postgres_project import POSTGRES_PROJECT
from headwater.bench.project import PROJECT
from headwater.bench.read_side import (
    QUERIES_POSTGRES,
    QUERIES_POSTGRES_MILLION,
    QUERIES_SQLITE,
    QUERIES_SQLITE_MILLION,
)
from headwater.bench.rebuild import REBUILD, REBUILD_MILLION
from headwater.bench.serve import SERVE
from headwater.bench.slow_fsync import QUICK_FSYNC, SLOW_FSYNC

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        *(APPEND, SLOW_FSYNC, COMMANDS, QUICK_FSYNC, LOAD, PROJECT, ASK, QUERIES_SQLITE, REBUILD, SERVE, FOOTPRINT),
        *(POSTGRES_APPEND, POSTGRES_SLOW_FSYNC, POSTGRES_DECAY, POSTGRES_COMMANDS, POSTGRES_PROJECT, POSTGRES_ASK),
        *(QUERIES_POSTGRES, QUERIES_SQLITE_MILLION, QUERIES_POSTGRES_MILLION, REBUILD_MILLION),
    )
}
