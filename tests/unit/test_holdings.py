"""The bookkeeping of a worker: what it holds, what it sends, what it counts as stale."""

from __future__ import annotations

import pytest

from youtility_tasks.finish import Decision, Verdict
from youtility_tasks.status import Outcome
from youtility_tasks.workers.children import Job
from youtility_tasks.workers.ended import Ended
from youtility_tasks.workers.holdings import Holdings

ALL = 100


def job(job_id: int, *, is_async: bool = False) -> Job:
    return Job(job_id, job_id * 10, "t", "{}", 1, 0, 7, None, is_async=is_async)


def ending(job_id: int) -> Ended:
    return Ended({"id": job_id}, Decision(Verdict.SUCCEEDED, Outcome.SUCCEEDED))


def holding(*job_ids: int, ended: tuple[int, ...] = ()) -> Holdings:
    made = Holdings()
    for job_id in job_ids:
        made.take(job(job_id))
    for job_id in ended:
        made.end(job_id, ending(job_id))
    return made


def test_what_has_ended_runs_no_more_and_is_held_until_it_is_confirmed() -> None:
    holdings = holding(1, 2, ended=(2,))
    holdings.take(job(3, is_async=True))

    assert holdings.running() == (1, 1)
    assert holdings.claims() == [(1, 10), (2, 20), (3, 30)]

    sent, resent = holdings.send(ALL)
    (answered,) = holdings.confirm(sent, {2}, resent)

    assert (answered.job.job_id, answered.is_accepted) == (2, True)
    assert holdings.claims() == [(1, 10), (3, 30)]
    assert holdings.stale == 0


def test_an_ending_that_is_refused_at_once_is_a_stale_write(caplog: pytest.LogCaptureFixture) -> None:
    holdings = holding(1, ended=(1,))

    sent, resent = holdings.send(ALL)
    (answered,) = holdings.confirm(sent, set(), resent)

    assert not answered.is_accepted
    assert holdings.stale == 1
    assert "write rejected, the job is no longer ours id=1 task=t" in caplog.text


def test_an_ending_whose_first_answer_was_lost_is_no_stale_write_when_it_is_refused() -> None:
    """It may have been recorded the first time, and then this claim is over."""
    holdings = holding(1, ended=(1,))
    holdings.send(ALL)  # no answer came

    sent, resent = holdings.send(ALL)
    (answered,) = holdings.confirm(sent, set(), resent)

    assert not answered.is_accepted
    assert holdings.stale == 0


def test_an_ending_that_is_dropped_before_it_was_sent_is_a_stale_write_and_one_under_way_is_not() -> None:
    holdings = holding(1, 2, ended=(1, 2))
    holdings.drop(1)
    assert holdings.stale == 1

    holdings.send(ALL)
    holdings.drop(2)

    assert (holdings.stale, holdings.jobs) == (1, {})


def test_what_was_dropped_while_the_answer_was_under_way_is_not_let_go_twice() -> None:
    holdings = holding(1, ended=(1,))
    sent, resent = holdings.send(ALL)
    holdings.drop_all()
    holdings.take(job(1))  # claimed anew

    assert list(holdings.confirm(sent, {1}, resent)) == []
    assert holdings.claims() == [(1, 10)]


def test_what_is_too_much_for_one_round_trip_goes_in_parts() -> None:
    holdings = holding(1, 2, 3, ended=(3, 1, 2))

    sent, _ = holdings.send(2)
    assert list(sent) == [3, 1]
    assert [each.job.job_id for each in holdings.confirm(sent, {3, 1}, set())] == [3, 1]

    sent, resent = holdings.send(2)
    assert (list(sent), resent) == ([2], set())


def test_an_ending_that_fails_alone_goes_behind_the_others() -> None:
    holdings = holding(1, 2, 3, ended=(1, 2, 3))

    assert list(holdings.send(1)[0]) == [1]
    holdings.let_others_go_first()

    assert list(holdings.send(1)[0]) == [2]
    assert list(holdings.send(ALL)[0]) == [2, 3, 1]
    Holdings().let_others_go_first()
