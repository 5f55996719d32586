from __future__ import annotations

import json


def test_the_groups_are_listed(process):
    """``headwater bench`` hands its words on."""
    ended = process("bench", "--list")
    assert ended.code == 0, ended.err
    assert "append" in ended.out


def test_wrong_words_are_usage_errors(process):
    """Its exit code is that of every verb, and so is its problem document."""
    ended = process("bench", "--only", "nothing")
    assert ended.code == 2
    assert "choose from 'append'" in ended.err
    assert json.loads(process("bench", "--only", "nothing", "--json").err)["code"] == "usage-error"


def test_the_groups_are_listed_for_programs(process):
    """With ``--json`` one value, as every verb gives; ``--debug`` is understood here too."""
    ended = process("bench", "--list", "--json", "--debug")
    assert ended.code == 0, ended.err
    assert {"name": "append", "title": "Durable conditional append"} in ended.json
