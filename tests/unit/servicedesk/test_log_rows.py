"""Reading the log: what a good row says, and where a bad one is wrong."""

from __future__ import annotations

import gzip
from datetime import datetime

import pytest

from headwater.servicedesk.expected import SHIPPED_LOG
from headwater.servicedesk.log_rows import COLUMNS, BrokenRow, LogError, read_rows

GOOD = {
    "case": "0000045",
    "seq": "0",
    "activity": "New",
    "timestamp": "2016-02-29T01:23",
    "opened_at": "2016-02-29T01:16",
    "reassignment_count": "0",
    "reopen_count": "0",
    "sys_mod_count": "0",
    "made_sla": "true",
    "caller_id": "2403",
    "impact": "2",
    "urgency": "2",
    "priority": "3",
    "assignment_group": "56",
    "knowledge": "true",
    "u_priority_confirmation": "false",
    "resolved_at": "2016-02-29T11:29",
    "closed_at": "2016-03-05T12:00",
}


def _csv(*rows, columns=COLUMNS):
    lines = [",".join(columns), *(",".join(row.get(name, "") for name in columns) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def test_a_row_is_typed_and_an_empty_field_is_absent(tmp_path):
    """Counts, flags and local times arrive as such; an empty person is no person."""
    file = tmp_path / "log.csv"
    file.write_bytes(_csv(GOOD))

    [row] = read_rows(file)

    assert (row.line, row.case, row.seq, row.status, row.made_sla) == (2, "0000045", 0, "new", True)
    assert row.at == datetime(2016, 2, 29, 1, 23)  # noqa: DTZ001  the desk's times have no zone
    assert (row.group, row.person) == ("56", None)


def test_columns_may_stand_in_any_order_among_others(tmp_path):
    """Only the names in the header matter; blank lines do not."""
    file = tmp_path / "log.csv"
    file.write_bytes(_csv(GOOD, columns=("extra", *reversed(COLUMNS))) + b"\n")

    assert [row.case for row in read_rows(file)] == ["0000045"]


def test_the_shipped_log_can_be_read_in_part():
    """The limit counts rows."""
    assert [row.line for row in read_rows(SHIPPED_LOG, limit=3)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("column", "text", "problem"),
    [
        ("case", "", "is empty"),
        ("seq", "first", "is no count"),
        ("seq", "-1", "is no count"),
        ("activity", "Sleeping", "is no state of an incident"),
        ("timestamp", "yesterday", "is no date and time"),
        ("timestamp", "", "is no date and time"),
        ("timestamp", "2016-02-30T01:00", "is no date and time"),
        ("timestamp", "2016-02-29T01:00Z", "has a zone"),
        ("opened_at", "2016-13-01T00:00", "is no date and time"),
        ("resolved_at", "soon", "is no date and time"),
        ("closed_at", "later", "is no date and time"),
        ("reassignment_count", "1.5", "is no count"),
        ("reopen_count", "", "is no count"),
        ("sys_mod_count", "many", "is no count"),
        ("made_sla", "yes", "is neither true nor false"),
        ("knowledge", "", "is neither true nor false"),
        ("u_priority_confirmation", "TRUE", "is neither true nor false"),
        ("impact", "4", "is not between 1 and 3"),
        ("urgency", "0", "is not between 1 and 3"),
        ("priority", "5", "is not between 1 and 4"),
    ],
)
def test_a_broken_row_names_its_line_and_column(tmp_path, column, text, problem):
    """The rows before it are read; the error says where to look and what to do."""
    file = tmp_path / "log.csv"
    file.write_bytes(_csv(GOOD, {**GOOD, "seq": "1", column: text}))
    rows = read_rows(file)
    next(rows)

    with pytest.raises(BrokenRow, match=problem) as raised:
        next(rows)

    assert (raised.value.line, raised.value.column) == (3, column)
    assert "--skip-broken" in raised.value.remedy


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"0000046,1\n", "has 2 columns, and the header 29"),
        (_csv(GOOD).splitlines()[1] + b",more\n", "has 30 columns"),
        (b"0000046,\xff\xfe\n", "not UTF-8"),
    ],
)
def test_a_line_that_is_no_row_is_broken(tmp_path, line, problem):
    """A short line, a long one and one in another encoding are broken rows too, and skipped if that is wanted."""
    file = tmp_path / "log.csv"
    file.write_bytes(_csv(GOOD) + line + _csv(GOOD).splitlines(keepends=True)[1])
    broken = []

    rows = list(read_rows(file, skip=broken.append))

    assert [row.line for row in rows] == [2, 4]
    assert [row.line for row in broken] == [3]
    assert problem in str(broken[0])


def test_a_header_without_a_column_is_no_log(tmp_path):
    """Skipping does not help against a wrong file."""
    file = tmp_path / "log.csv"
    file.write_bytes(_csv(GOOD, columns=COLUMNS[:-1]))

    with pytest.raises(LogError, match="the header lacks closed_at"):
        list(read_rows(file, skip=lambda _row: None))


def test_an_empty_file_is_no_log(tmp_path):
    """It has no header."""
    file = tmp_path / "log.csv"
    file.write_bytes(b"")

    with pytest.raises(LogError, match="the header lacks case, seq"):
        list(read_rows(file))


def test_a_missing_file_is_no_log(tmp_path):
    """The error names the path."""
    with pytest.raises(LogError, match=r"nowhere\.csv cannot be opened"):
        list(read_rows(tmp_path / "nowhere.csv"))


def test_a_truncated_archive_gives_what_it_has_and_then_an_error(tmp_path):
    """What was read stays; the error says how far it came and how to go on."""
    file = tmp_path / "log.csv.gz"
    rows = [{**GOOD, "case": str(number)} for number in range(20_000)]
    file.write_bytes(gzip.compress(_csv(*rows))[:-2000])
    read = []

    with pytest.raises(LogError, match="is damaged after line") as raised:
        read.extend(row.line for row in read_rows(file))

    assert "--resume" in raised.value.remedy
    assert raised.value.fields["line"] == raised.value.line > 1
