from __future__ import annotations

from copy import copy
from random import Random

import pytest
from tests.campaigns.bad_histories import MORE, THE_TWENTY
from tests.campaigns.good_histories import Case, good_case

from headwater.testing.history import Answered, History, Seen, Sent, check

SEEDS = range(5)
_BAD = {**THE_TWENTY, **MORE}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Good histories by their seeds."""
    return {seed: good_case(seed, tmp_path_factory.mktemp("journals")) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_good_history_has_no_violations(good, seed):
    """Although it has everything that a checker may stumble over."""
    assert check(good[seed].history, good[seed].log) == []


def test_the_good_histories_are_not_too_good(good):
    """They have conflicts, repeats, refusals, unknown outcomes that were stored and such that were not."""
    answers = [answer for case in good.values() for answer in case.of(Answered)]
    appends = [append for case in good.values() for append in case.history.appends()]
    there = {event.id.hex for case in good.values() for event in case.log}
    unknown = {append.events[0].id in there for append in appends if append.effective and not append.stored}

    assert {answer.outcome for answer in answers} == {"stored", "conflict", "refused", "unknown"}
    assert any(answer.replayed for answer in answers)
    assert any(len(append.attempts) > 1 for append in appends)
    assert unknown == {True, False}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mutate", _BAD, ids=lambda mutate: mutate.__name__)
def test_every_bad_history_is_found_out(good, mutate, seed):
    """Each mutation of a good history is found by the rule that is there for it."""
    case = Case(copy(good[seed].records), copy(good[seed].log))
    mutate(case, Random(seed))

    assert _BAD[mutate] in {violation.rule for violation in check(case.history, case.log)}


def test_the_mutations_cover_the_list_and_every_rule():
    """Twenty seeded kinds, and beyond them a mutation for each rule the checker has."""
    assert len(THE_TWENTY) == 20
    assert len(set(_BAD.values())) >= 24


def test_what_others_appended_is_no_ghost_if_their_journals_are_missing(good):
    """With ``complete=False`` only what is recorded is judged."""
    case = good[0]
    operations = {sent.operation for sent, _ in case.stored()[:10]}
    known = [r for r in case.records if not (isinstance(r, Sent | Answered) and r.operation in operations)]
    assert {violation.rule for violation in check(History(tuple(known)), case.log)} == {"ghost"}
    assert check(History(tuple(known)), case.log, complete=False) == []


def test_a_violation_says_where_it_is(good):
    """Rule, what was found, position."""
    case = Case(copy(good[1].records), copy(good[1].log[:-1]))
    found = check(case.history, case.log)
    assert any(str(violation).startswith("lost: ") for violation in found)
    assert any("(position " in str(violation) for violation in found)


def test_reads_of_an_empty_log_are_right(good):
    """Nothing was appended, nothing was seen."""
    assert check(History((Seen("r", 1, 2, good[0].of(Seen)[0].query, 0),)), []) == []
