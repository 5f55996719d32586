"""``headwater report SQL SOURCE``: SQL over a log and its read models. Reads: export.py, analysis/report.py."""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from headwater.analysis.report import Table, run_report
from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, URL_OPTION, verb
from headwater.cli.verbs.export import export


@click.command("report")
@click.argument("sql", metavar="SQL")
@click.argument("source", metavar="SOURCE")
@click.option("--csv", "as_csv", is_flag=True, help="Write lines of CSV.")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def command(
    screen: Screen,
    sql: str,
    source: str,
    as_csv: bool,  # noqa: FBT001  an option of the command line
    url: str | None,
    read_store: str | None,
) -> None:
    """Run a SELECT over SOURCE, by DuckDB: a folder that was exported, the URL of a log, or an app (module:attribute).

    The table `events` holds the log, each type of event is a view with its fields, and each read model a table.
    """
    if ":" not in source or await asyncio.to_thread(Path(source).is_dir):
        found = await asyncio.to_thread(run_report, sql, Path(source))
    else:
        with TemporaryDirectory(prefix="headwater-report-") as directory:
            await export(screen, source, Path(directory), "ndjson", url, read_store)
            found = await asyncio.to_thread(run_report, sql, Path(directory))
    if as_csv and not screen.as_json:
        _write_csv(found)
        return
    screen.answer([dict(zip(found.columns, row, strict=True)) for row in found.rows], lambda: _draw(screen, found))


def _draw(screen: Screen, found: Table) -> None:
    screen.table(found.columns, found.rows)
    screen.note("1 row" if len(found.rows) == 1 else f"{len(found.rows):,} rows")


def _write_csv(found: Table) -> None:
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(found.columns)
    lines.writerows(found.rows)
