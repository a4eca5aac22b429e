"""What becomes of a job, for everything that can happen to an attempt."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from youtility_tasks import BadInput, NotReady, Retry, Task, Transient, errors
from youtility_tasks import retry as room
from youtility_tasks.conf import settings
from youtility_tasks.finish import Decision, Happened, Verdict, classify, decide
from youtility_tasks.migrations._sql import frozen
from youtility_tasks.status import Outcome


def body() -> None:
    return None


@pytest.fixture
def thrice(declare: Callable[..., Task]) -> Task:
    """A task with three attempts, 100 s apart."""
    return declare(body, name="thrice", retry=Retry(3, base=100))


@pytest.mark.parametrize(
    ("error", "happened"),
    [
        (BadInput("no such row"), Happened.BAD_INPUT),
        (NotReady("later"), Happened.RAISED),
        (Transient("smtp"), Happened.RAISED),
        (ValueError("a bug"), Happened.RAISED),
        (SystemExit(3), Happened.RAISED),
        (KeyboardInterrupt(), Happened.RAISED),
        (RecursionError(), Happened.RAISED),
        (MemoryError(), Happened.RAISED),
        (errors.SoftTimeLimit(), Happened.TIMED_OUT),
        (errors.AbortRequested(), Happened.ABORTED),
        (errors.NoTenant("t"), Happened.RAISED),
        (errors.TryAgain(3), Happened.ASKED),
        (errors.UnknownSecretKey("2024", ["2026"]), Happened.NO_KEY),
        (errors.BrokenSecret("t", "token", 7, "2026"), Happened.BAD_INPUT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_is_classified_by_what_it_says(error: BaseException, happened: Happened) -> None:
    assert classify(error) is happened


def expected(happened: Happened, attempt: int, crash_count: int) -> tuple[Verdict, Outcome, bool]:
    """The table: verdict, outcome, and whether there is a wait. Three attempts, three crashes."""
    last = attempt >= 3
    poison = crash_count >= 2
    return {
        Happened.RETURNED: (Verdict.SUCCEEDED, Outcome.SUCCEEDED, False),
        Happened.BAD_INPUT: (Verdict.FAILED, Outcome.BAD_INPUT, False),
        Happened.ABORTED: (Verdict.ABORTED, Outcome.ABORTED, False),
        Happened.EXPIRED: (Verdict.ABORTED, Outcome.EXPIRED, False),
        Happened.HANDED_BACK: (Verdict.RELEASED, Outcome.LOST, False),
        Happened.ASKED: (Verdict.RETRY, Outcome.RETRY, False),
        Happened.RAISED: (Verdict.FAILED, Outcome.FAILED, False) if last else (Verdict.RETRY, Outcome.RETRY, True),
        Happened.TIMED_OUT: (Verdict.FAILED if last else Verdict.RETRY, Outcome.TIMED_OUT, not last),
        Happened.CRASHED: (Verdict.FAILED if poison else Verdict.CRASHED, Outcome.CRASHED, False),
    }[happened]


@pytest.mark.parametrize(
    ("happened", "attempt", "crash_count"),
    list(itertools.product(set(Happened) - {Happened.NO_KEY}, (1, 2, 3, 4, 25), (0, 1, 2, 3, 7))),
)
def test_the_verdict_follows_the_table(thrice: Task, happened: Happened, attempt: int, crash_count: int) -> None:
    decision = decide(happened, thrice, attempt=attempt, crash_count=crash_count)

    verdict, outcome, waits = expected(happened, attempt, crash_count)
    assert (decision.verdict, decision.outcome) == (verdict, outcome)
    if waits:
        assert 90 <= decision.delay_s <= 110
    else:
        assert decision.delay_s == 0


@pytest.mark.parametrize(("attempt", "wait_s"), [(1, 30), (2, 60), (25, 900), (2_000, 900)])
def test_a_job_whose_key_is_not_here_waits_however_few_attempts_its_task_has(
    declare: Callable[..., Task], attempt: int, wait_s: float
) -> None:
    once = declare(body, name="once")

    decision = decide(Happened.NO_KEY, once, attempt=attempt, crash_count=0)

    assert (decision.verdict, decision.outcome) == (Verdict.RETRY, Outcome.RETRY)
    assert 0.9 * wait_s <= decision.delay_s <= 1.1 * wait_s


def test_a_task_without_a_policy_runs_once(declare: Callable[..., Task]) -> None:
    once = declare(body, name="once")

    assert decide(Happened.RAISED, once, attempt=1, crash_count=0) == Decision(Verdict.FAILED, Outcome.FAILED)


def test_crashes_are_bounded_by_their_own_number_and_not_by_the_attempts(declare: Callable[..., Task]) -> None:
    once = declare(body, name="once", retry=Retry(1))

    verdicts = [decide(Happened.CRASHED, once, attempt=1, crash_count=count).verdict for count in range(3)]

    assert verdicts == [Verdict.CRASHED, Verdict.CRASHED, Verdict.FAILED]


def test_the_wait_is_scaled_by_the_setting(thrice: Task, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"retry_delay_factor": 0.01}

    assert 0.9 <= decide(Happened.RAISED, thrice, attempt=1, crash_count=0).delay_s <= 1.1


def test_the_number_of_crashes_is_a_setting(thrice: Task, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"max_crashes": 1}

    assert decide(Happened.CRASHED, thrice, attempt=1, crash_count=0).verdict is Verdict.FAILED


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_one_that_the_statement_names(verdict: Verdict) -> None:
    explained = frozen("0004_functions.sql").partition("-- verdict: ")[2].partition("CREATE FUNCTION")[0]

    assert verdict in re.findall(r"[a-z]+(?=, |  )", explained)


@pytest.mark.parametrize(("jitter", "most"), [(0.1, 40), ("equal", 25), ("full", 15), (0, 2_000)])
def test_jobs_that_fail_together_do_not_come_back_together(
    jitter: Any, most: int, declare: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 2,000 that are to wait 600 s, how many come in the fullest second; with no jitter all of them."""
    monkeypatch.setattr(room, "_jitter", random.Random(7))  # noqa: S311 - what it draws is known, that is the point
    task = declare(body, name="stormy", retry=Retry(3, base=600, jitter=jitter))

    back = Counter(int(decide(Happened.RAISED, task, attempt=1, crash_count=0).delay_s) for _ in range(2_000))

    assert most / 2 < max(back.values()) <= most


@pytest.mark.parametrize("attempt", [1, 3, 99])
def test_a_task_that_asks_for_another_attempt_says_when_whatever_its_policy(thrice: Task, attempt: int) -> None:
    decision = decide(Happened.ASKED, thrice, attempt=attempt, crash_count=0, asked_s=40)

    assert (decision.verdict, decision.outcome) == (Verdict.RETRY, Outcome.RETRY)
    assert decision.delay_s == 40 * settings().retry_delay_factor
    assert errors.TryAgain(-3).delay_s == 0
