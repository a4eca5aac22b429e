"""What a test asks of the queue, and what it is told when the answer is no."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

import pytest

from youtility_tasks import Secret, Task, tenant
from youtility_tasks.errors import UnknownTask
from youtility_tasks.models import TaskExecutionHistory
from youtility_tasks.testing import (
    arguments,
    assert_enqueued,
    assert_not_enqueued,
    empty_queue,
    enqueued_jobs,
    run_jobs,
)

pytestmark = pytest.mark.django_db


def mail(*, id: int = 0, to: str = "") -> None:
    return None


def other(*, n: int = 0) -> None:
    return None


def login(*, user: int, password: Annotated[str, Secret]) -> None:
    return None


@pytest.fixture
def mail_task(declare: Callable[..., Task]) -> Task:
    return declare(mail, aliases=("old_mail",))


@pytest.fixture
def other_task(declare: Callable[..., Task]) -> Task:
    return declare(other)


def test_jobs_are_found_by_task_name_alias_and_tenant(
    mail_task: Task, other_task: Task, acme: int, other_tenant: int
) -> None:
    for who in (acme, other_tenant):
        with tenant(who):
            mail_task.enqueue(id=who)
    with tenant(acme):
        other_task.enqueue()

    def ids(*asked: object, **more: int) -> list[int]:
        return [arguments(job).get("id", -1) for job in enqueued_jobs(*asked, **more)]  # type: ignore[arg-type]

    assert ids() == [7, 8, -1]
    assert ids(mail_task) == ids("mail") == ids("old_mail") == ids(mail_task.using(priority=1)) == [7, 8]
    assert ids(mail_task, tenant=8) == [8]
    assert ids(tenant=7) == [7, -1]


def test_the_job_that_was_asked_for_is_returned(mail_task: Task, acme: int) -> None:
    with tenant(acme):
        mail_task.enqueue(id=1, to="jo")
        mail_task.enqueue(id=2, to="jo")

    assert arguments(assert_enqueued(mail_task, to="jo", id=2)) == {"id": 2, "to": "jo"}
    assert arguments(assert_enqueued("mail", to="jo"))["id"] == 1
    assert_not_enqueued(mail_task, id=3)


def test_the_error_shows_what_was_enqueued_instead(mail_task: Task, other_task: Task, acme: int) -> None:
    with tenant(acme):
        job = mail_task.enqueue(id=1, to="jo")
        other_task.enqueue()
        other_task.enqueue()

    with pytest.raises(AssertionError) as wrong:
        assert_enqueued(mail_task, id=2)
    assert str(wrong.value) == (
        f"No waiting job of 'mail' with id=2. Waiting of it: job {job.id} (tenant 7) {{'id': 1, 'to': 'jo'}}. "
        "Of other tasks: other x 2."
    )
    with pytest.raises(AssertionError, match=re.escape("None has an argument 'ident'.")):
        assert_enqueued(mail_task, ident=1)
    with pytest.raises(AssertionError, match=rf"1 of 'mail' with id=1 wait, and none should: job {job.id} "):
        assert_not_enqueued(mail_task, id=1)
    with pytest.raises(AssertionError, match="3 jobs wait, and none should"):
        assert_not_enqueued()


def test_an_empty_queue_is_said_to_be_empty(mail_task: Task) -> None:
    with pytest.raises(AssertionError, match=r"No waiting job of 'mail'\. Nothing waits\."):
        assert_enqueued(mail_task)
    assert_not_enqueued()


def test_a_name_that_no_task_has_is_no_way_to_pass(mail_task: Task) -> None:
    with pytest.raises(UnknownTask, match="Did you mean 'mail'"):
        assert_not_enqueued("mial")


def test_secrets_are_compared_in_clear_and_never_shown(declare: Callable[..., Task], acme: int) -> None:
    task = declare(login)
    with tenant(acme):
        task.enqueue(user=1, password="correct horse")

    assert_enqueued(task, password="correct horse")
    with pytest.raises(AssertionError) as wrong:
        assert_enqueued(task, user=2)
    assert "correct horse" not in str(wrong.value)


def test_an_emptied_queue_has_no_jobs_and_no_history(mail_task: Task, acme: int) -> None:
    with tenant(acme):
        mail_task.enqueue()
        run_jobs()
        mail_task.enqueue()

    assert empty_queue() == 1
    assert not enqueued_jobs() and not TaskExecutionHistory.objects.exists()
