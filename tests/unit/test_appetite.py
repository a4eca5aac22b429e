"""How far a worker claims ahead."""

from __future__ import annotations

from typing import Any

import pytest

from youtility_tasks.conf import QueueSettings
from youtility_tasks.workers.appetite import Appetite

SHAPE = QueueSettings(processes=2, threads=3, coroutines=40)


def wanted(appetite: Appetite, *, sync_held: int = 0, async_held: int = 0, stuck_children: int = 0) -> int:
    return appetite.wanted(sync_held=sync_held, async_held=async_held, stuck_children=stuck_children)


def after(*run_ms: float) -> Appetite:
    appetite = Appetite(SHAPE)
    for each in run_ms:
        appetite.ended(each)
    return appetite


def test_before_a_job_has_ended_it_asks_for_what_can_start() -> None:
    assert wanted(Appetite(SHAPE)) == 6
    assert wanted(Appetite(SHAPE), sync_held=4) == 2
    assert wanted(Appetite(SHAPE), sync_held=6) == 0


def test_short_jobs_are_claimed_ahead_by_a_count(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"claim_ahead": 100, "claim_batch": 1000}

    assert wanted(after(0.1)) == 2 * 3 + 2 * 100


def test_jobs_of_some_milliseconds_are_claimed_ahead_by_their_work(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"claim_ahead_ms": 50}

    assert wanted(after(10.0)) == 6 + 2 * (3 * 5)


@pytest.mark.parametrize("run_ms", [200.0, 5_000.0])
def test_long_jobs_are_never_claimed_ahead(run_ms: float) -> None:
    assert wanted(after(run_ms)) == 6


def test_one_long_job_among_short_ones_ends_the_reaching_ahead() -> None:
    appetite = after(*[0.1] * 50)
    assert appetite.ahead() > 0

    appetite.ended(60_000)
    assert appetite.ahead() == 0

    for _ in range(200):
        appetite.ended(0.1)
    assert appetite.ahead() > 0


def test_a_child_that_is_held_up_gets_nothing_ahead(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"claim_ahead": 10}

    assert wanted(after(0.1), stuck_children=1) == 6 + 10
    assert wanted(after(0.1), stuck_children=2) == 6


def test_a_child_gets_no_more_than_a_part_of_its_share(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"max_jobs_per_child": 50}

    assert wanted(after(0.1)) == 6 + 2 * 5


def test_async_jobs_have_room_of_their_own_once_they_are_what_comes() -> None:
    appetite = Appetite(SHAPE)
    for _ in range(200):
        appetite.claimed(True)

    assert wanted(appetite, async_held=30) in (49, 50)
    assert wanted(appetite, async_held=78) == 2


def test_async_jobs_never_spill_over_into_the_room_of_sync_ones() -> None:
    """A claim cannot choose kinds: asking for six more whenever six threads are free would have no end."""
    assert wanted(Appetite(SHAPE), async_held=80) == 0
    assert wanted(after(0.1), async_held=75) == 5
