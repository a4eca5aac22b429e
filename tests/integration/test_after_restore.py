"""After a restore nothing of the time that is no more is believed, and nothing is run again silently."""

from __future__ import annotations

import re

import pytest
from django.db import Error

from tests.deploy.files import DEPLOY
from tests.integration.desk import Desk, execute, job, rescue, rows
from youtility_tasks import Task, controls, queues, tenant

EPOCH = (DEPLOY / "backup/after_restore.sql").read_text(encoding="utf-8").replace("%", "%%")
FENCE = "claim_number = claim_number + 1000000000"


def test_a_worker_of_the_time_before_changes_nothing(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        add_task.enqueue(number=1)
    held = desk.take()

    execute(EPOCH)

    assert not desk.finish(held, "succeeded")
    assert job(held.id).status == "doing"

    desk.fall_silent()
    other = Desk()
    rescue()
    assert job(held.id).status == "todo"
    assert other.claim() == []  # it may have been done: somebody looks first


def test_without_the_fence_it_would(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        add_task.enqueue(number=1)
    held = desk.take()
    assert FENCE in EPOCH

    execute(EPOCH.replace(FENCE, "claim_number = claim_number"))

    assert desk.finish(held, "succeeded")


def test_what_waits_is_run_when_somebody_has_looked_and_no_number_comes_again(
    desk: Desk, add_task: Task, acme: int
) -> None:
    with tenant(acme):
        before = add_task.enqueue(number=1)

        execute(EPOCH)
        execute(EPOCH)  # a second time does no harm

        after = add_task.enqueue(number=2)
    assert desk.claim() == []
    assert int(after.id) > int(before.id) + 1_000_000_000
    assert {each.queue_name for each in controls.listing()} == set(queues.configured())

    controls.resume(queue="maintenance")
    assert [each.id for each in desk.claim(2)] == [int(before.id), int(after.id)]


@pytest.mark.django_db
def test_it_counts_on_numbers_that_are_there() -> None:
    for name in re.findall(r"nextval\('(\w+)'\)", EPOCH):
        assert rows("SELECT 1 FROM pg_sequences WHERE sequencename = %s", name) == [(1,)]


@pytest.mark.django_db
def test_who_would_not_see_all_jobs_is_refused() -> None:
    execute("CREATE ROLE yt_sees_little")
    execute("SET LOCAL ROLE yt_sees_little")

    with pytest.raises(Error, match="The role yt_sees_little does not see all jobs; right is a superuser"):
        execute(EPOCH)
