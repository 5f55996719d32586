from __future__ import annotations


def test_the_groups_are_listed(process):
    """``headwater bench`` hands its words on."""
    ended = process("bench", "--list")
    assert ended.code == 0, ended.err
    assert "append" in ended.out


def test_wrong_words_are_usage_errors(process):
    """Its exit code is that of every verb."""
    assert process("bench", "--only", "nothing").code == 2


def test_the_groups_are_listed_for_programs(process):
    """With ``--json`` one value, as every verb gives; ``--debug`` is understood here too."""
    ended = process("bench", "--list", "--json", "--debug")
    assert ended.code == 0, ended.err
    assert {"name": "append", "title": "Durable conditional append"} in ended.json
