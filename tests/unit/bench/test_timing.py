"""Timing: rates come from counted steps, waits from the clients."""

from __future__ import annotations

import asyncio

from headwater.bench.timing import microseconds, rate, rate_of_clients, run, waits_ms


def test_a_rate_counts_steps_times_what_each_does():
    """Even a time box of nothing holds one step."""
    steps = []

    sample = rate(lambda: steps.append(1), 0.0, per_step=256)

    assert len(steps) == 4  # three to warm up
    assert sample.value > 0


def test_clients_run_side_by_side_and_their_waits_are_told():
    """Each client makes its own step; the median wait lies below the 99th percentile."""
    made = []

    def client(number):
        made.append(number)
        return lambda: asyncio.sleep(0)

    sample = run(rate_of_clients(8, 0.02, client))

    assert made == list(range(8))
    assert 0 < sample.details["p50_ms"] <= sample.details["p99_ms"]


def test_too_few_waits_give_no_percentiles():
    """A percentile of a handful of waits would say nothing."""
    assert waits_ms([0.1] * 5) == {}


def test_a_call_is_timed_in_microseconds():
    """One awaited call after another."""
    assert run(microseconds(lambda: asyncio.sleep(0), 0.005)).value > 0
