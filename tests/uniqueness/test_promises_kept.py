"""What a key promises where something else is between: a job that has expired, a dead letter that is given other arguments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.desk import Desk, execute, rows
from tests.integration.letters import dead
from tests.integration.mutants import must_catch
from youtility_tasks import Debounce, Task, Unique, dead_letters, errors, tenant
from youtility_tasks.dead_letters import Letters
from youtility_tasks.models import Job

pytestmark = pytest.mark.django_db

RULES = [
    Unique(by="site_id", while_="waiting"), Unique(by="site_id"), Unique(by="site_id", while_="until_done"),
    Unique(by="site_id", period_s=60),
]  # fmt: skip


def survey(*, site_id: int = 1, reason: str = "") -> str:
    return reason


@pytest.mark.parametrize("rule", RULES)
def test_a_job_that_has_expired_takes_over_the_later_call(ruled: Callable[..., Task], desk: Desk, rule: Unique) -> None:
    task = ruled(unique=rule)

    def check() -> None:
        soon = datetime.now(UTC) + timedelta(hours=1)
        first = task.using(expires_at=soon).enqueue(site_id=5, reason="first")
        assert not task.enqueue(site_id=5).is_replaced, "until then it is the one"
        execute("UPDATE procrastinate_jobs SET expires_at = clock_timestamp() - interval '1 second'")
        later = task.enqueue(site_id=5, reason="later")
        assert (later.id, later.is_new, later.is_replaced) == (first.id, False, True)
        (claimed,) = desk.claim()
        assert (claimed.expires_in_s, claimed.args["reason"]) == (None, "later")

    must_catch(check, "youtility_tasks_enqueue_unique_v1", "j.expires_at <= clock_timestamp()", "false")


# -- a dead letter with other arguments


@pytest.fixture
def letter(declare: Callable[..., Task], acme: int, desk: Desk) -> Callable[..., tuple[Task, int]]:
    def make(using: dict[str, Any] | None = None, **options: Any) -> tuple[Task, int]:
        task = declare(survey, **options)
        return task, dead(desk, task, acme, site_id=5, using=using)[0]

    return make


@pytest.mark.parametrize("rule", RULES[1:])
def test_a_key_is_not_left_behind_by_its_arguments(
    letter: Callable[..., tuple[Task, int]], acme: int, rule: Unique
) -> None:
    task, job_id = letter(unique=rule)
    with tenant(acme):
        with pytest.raises(errors.Refused, match=r"unique by arguments that would be others.*Discard it and enqueue"):
            dead_letters.retry(job_id, {"site_id": 6})
        redrive = dead_letters.redrive(Letters(task_name=task.name), changes={"reason": "again"}, reason="others")
        assert redrive.done_count == 1, "what makes no key may change"
    assert Job.objects.get(pk=job_id).args == {"site_id": 5, "reason": "again"}


def test_a_redrive_says_which_letters_cannot_have_these_arguments(
    letter: Callable[..., tuple[Task, int]], acme: int
) -> None:
    task, job_id = letter(unique=RULES[1])
    with tenant(acme), pytest.raises(errors.Refused, match="unique by arguments that would be others"):
        dead_letters.redrive(Letters(task_name=task.name), changes={"site_id": 6})
    assert Job.objects.get(pk=job_id).status == "failed"


@pytest.mark.parametrize("options", [{"unique": RULES[0]}, {"debounce": Debounce(30, by="site_id")}])
def test_a_key_for_waiting_follows_the_arguments(
    declare: Callable[..., Task], acme: int, desk: Desk, options: Any
) -> None:
    task = declare(survey, **options)
    with tenant(acme):
        job_id = int(task.enqueue(site_id=5).id)
    execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
    desk.finish(desk.take(), "failed", error_class="x.Gone", error_message="no")
    with tenant(acme):
        dead_letters.retry(job_id, {"site_id": 6})
        assert int(task.enqueue(site_id=6).id) == job_id
        assert task.enqueue(site_id=5).is_new


def test_a_job_without_a_key_has_none_to_leave_behind(letter: Callable[..., tuple[Task, int]], acme: int) -> None:
    _, job_id = letter({"unique": False}, unique=RULES[1])
    with tenant(acme):
        dead_letters.retry(job_id, {"site_id": 6})
    assert rows("SELECT unique_key FROM procrastinate_jobs") == [(None,)]
