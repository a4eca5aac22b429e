"""A parked job whose time is set anew waits for that time, and for its control only afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.desk import Claimed, Desk, execute, rows
from tests.integration.mutants import must_catch
from youtility_tasks import Task, queues
from youtility_tasks.enqueue import enqueue_many
from youtility_tasks.models import QueueControl

pytestmark = pytest.mark.django_db(transaction=True)

PUT_OFF = "youtility_tasks_put_off_v1"


def heavy(*, number: int = 0) -> int:
    return number


@pytest.fixture
def heavy_task(declare: Callable[..., Task]) -> Task:
    return declare(heavy, tenant="all")


def parked() -> set[int]:
    return {job_id for (job_id,) in rows("SELECT id FROM procrastinate_jobs WHERE parked_by > 0 AND status = 'todo'")}


def put_off(ids: list[int], interval: str) -> None:
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() + %s::interval WHERE id = ANY (%s)", interval, ids)


def a_crowd_under_a_limit(desk: Desk, task: Task) -> tuple[list[int], Claimed]:
    """Thirty jobs, of which the first runs and the others are parked."""
    QueueControl.objects.create(queue_name=queues.MAINTENANCE, task_name=task.name, max_running=1)
    crowd = [int(each.id) for each in enqueue_many(task, ({} for _ in range(30)))]
    (running,) = desk.claim(50)
    assert running.id == crowd[0] and parked() == set(crowd[1:])
    return crowd, running


def test_parked_jobs_that_are_put_off_hide_none_that_is_due(heavy_task: Task) -> None:
    def check() -> None:
        desk = Desk()
        crowd, running = a_crowd_under_a_limit(desk, heavy_task)

        put_off(crowd[1:20], "1 hour")

        assert parked() == set(crowd[20:])
        assert desk.finish(running, "succeeded")
        assert [each.id for each in desk.claim(1)] == crowd[20:21]

    must_catch(check, PUT_OFF, "NEW.parked_by := 0", "NEW.parked_by := OLD.parked_by")


def test_one_that_was_put_off_is_claimed_when_its_time_comes_and_there_is_room(heavy_task: Task) -> None:
    desk = Desk()
    crowd, running = a_crowd_under_a_limit(desk, heavy_task)
    put_off(crowd[1:], "1 hour")
    assert desk.finish(running, "succeeded") and desk.claim(10) == []

    put_off(crowd[5:7], "-1 second")

    (claimed,) = desk.claim(10)
    assert claimed.id == crowd[5] and parked() == {crowd[6]}


def test_one_whose_time_is_set_to_the_past_stays_parked(heavy_task: Task) -> None:
    crowd, _ = a_crowd_under_a_limit(Desk(), heavy_task)

    put_off(crowd[1:3], "-1 hour")

    assert parked() == set(crowd[1:])
