"""How many threads of a child take jobs."""

from __future__ import annotations

from youtility_tasks.workers.pace import SHORT_MS, Pace


def after(*runs_ms: float) -> Pace:
    pace = Pace()
    for run_ms in runs_ms:
        pace.ended(run_ms)
    return pace


def test_every_thread_takes_jobs_until_they_are_known_to_be_short() -> None:
    assert not Pace().is_alone


def test_one_thread_alone_takes_short_jobs() -> None:
    assert after(*[0.02] * 30).is_alone


def test_every_thread_takes_jobs_that_are_not_short() -> None:
    assert not after(*[3.0] * 30).is_alone


def test_one_long_job_opens_the_gate_and_a_run_of_short_ones_closes_it() -> None:
    pace = after(*[0.02] * 30, 50)
    assert not pace.is_alone
    for _ in range(200):
        pace.ended(0.02)
    assert pace.is_alone


def test_jobs_that_wait_behind_a_long_one_open_the_gate_before_it_has_ended() -> None:
    pace = after(*[0.02] * 30)

    pace.held_up()

    assert not pace.is_alone
    pace.ended(SHORT_MS)
    assert not pace.is_alone
