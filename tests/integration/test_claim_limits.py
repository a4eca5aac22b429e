"""What a claim leaves alone because somebody said so: limits on what runs, rates, pauses."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable

import pytest
from django.utils import timezone

from tests.integration.desk import Claimed, Desk, execute, rows
from tests.integration.mutants import must_catch
from youtility_tasks import Task, queues, tenant
from youtility_tasks.enqueue import enqueue_many
from youtility_tasks.models import QueueControl

LIMITED, CONTROLS = "youtility_tasks_claim_limited_v1", "youtility_tasks_controls_v1"


def heavy(*, number: int = 0) -> int:
    return number


def also_one_at_a_time(*, key: str = "k") -> None:
    return None


@pytest.fixture
def heavy_task(declare: Callable[..., Task]) -> Task:
    return declare(heavy, tenant="all")


def put(task: Task, n: int = 1, *, tenant_id: int | None = None, **options: object) -> list[int]:
    chosen = task.using(**options)
    if tenant_id is None:
        return [int(each.id) for each in enqueue_many(chosen, ({} for _ in range(n)))]
    with tenant(tenant_id):
        return [int(each.id) for each in enqueue_many(chosen, ({} for _ in range(n)))]


def limit(**what: object) -> QueueControl:
    return QueueControl.objects.create(**what)


def ids(claimed: list[Claimed]) -> list[int]:
    return [each.id for each in claimed]


def parked() -> int:
    ((n,),) = rows("SELECT count(*) FROM procrastinate_jobs WHERE parked_by > 0 AND status = 'todo'")
    return int(n)


def look_after(desk: Desk, n: int = 10) -> float | None:
    return desk.pump(n)[-1][2]


# -- limits on what runs


def test_of_a_limited_task_no_more_run_than_it_says_and_others_pass_it(
    desk: Desk, heavy_task: Task, sweep_task: Task
) -> None:
    def check() -> None:
        limit(queue_name=queues.MAINTENANCE, task_name=heavy_task.name, max_running=2)
        crowd = put(heavy_task, 30, priority=1)
        others = put(sweep_task, 5)

        claimed = desk.claim(10)
        assert ids(claimed) == [*crowd[:2], *others]
        assert desk.claim(10) == []

        assert desk.finish(claimed[0], "succeeded")
        assert ids(desk.claim(10)) == crowd[2:3]

    must_catch(check, CONTROLS, "j.status = 'doing'", "j.status = 'failed'")
    must_catch(check, LIMITED, "rooms[n] := rooms[n] - 1", "rooms[n] := rooms[n]")
    must_catch(check, LIMITED, "EXIT WHEN is_over OR", "EXIT WHEN true OR")


def test_a_tenant_at_its_limit_waits_and_the_others_do_not(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    def check() -> None:
        limit(tenant_id=acme, max_running=5)
        put(add_task, 300, tenant_id=acme, priority=1)
        put(add_task, 3, tenant_id=other_tenant)

        assert Counter(each.tenant_id for each in desk.claim(20)) == {acme: 5, other_tenant: 3}
        put(add_task, 3, tenant_id=other_tenant)
        assert Counter(each.tenant_id for each in desk.claim(20)) == {other_tenant: 3}
        assert parked() == 0

    must_catch(check, LIMITED, "without := without || owners[n]", "NULL")


def test_a_queue_at_its_limit_waits(desk: Desk, sweep_task: Task) -> None:
    limit(queue_name=queues.MAINTENANCE, max_running=3)
    first = put(sweep_task, 10)

    held = desk.claim(10)
    assert ids(held) == first[:3]
    assert desk.claim(10) == []
    assert desk.finish_all([(each, "succeeded", {}) for each in held[:2]])
    assert ids(desk.claim(10)) == first[3:5]


def test_every_limit_that_concerns_a_job_must_have_room(
    desk: Desk, add_task: Task, sweep_task: Task, acme: int, other_tenant: int
) -> None:
    limit(queue_name=queues.MAINTENANCE, max_running=6)
    limit(task_name=add_task.name, max_running=4)
    limit(task_name=add_task.name, tenant_id=acme, max_running=1)
    put(add_task, 10, tenant_id=acme)
    put(add_task, 10, tenant_id=other_tenant)
    put(sweep_task, 10)

    claimed = desk.claim(100)

    assert Counter((each.task_name, each.tenant_id) for each in claimed) == {
        (add_task.name, acme): 1,
        (add_task.name, other_tenant): 3,
        (sweep_task.name, 0): 2,
    }


def test_a_limit_counts_what_other_queues_run_unless_it_names_one(desk: Desk, sweep_task: Task) -> None:
    limit(task_name=sweep_task.name, max_running=2)
    put(sweep_task, 5)
    put(sweep_task, 5, queue_name=queues.EMAIL)

    assert len(desk.claim(1)) == 1
    assert len(desk.claim(10, queue_name=queues.EMAIL)) == 1
    assert desk.claim(10) == []


def test_a_job_that_came_due_or_has_a_lock_is_limited_like_any_other(
    desk: Desk, heavy_task: Task, locked_task: Task
) -> None:
    limit(task_name=heavy_task.name, max_running=1)
    limit(task_name=locked_task.name, max_running=1)
    due = put(heavy_task, 3, run_after=timezone.now() - dt.timedelta(hours=1))
    locked = [int(locked_task.enqueue(key=key).id) for key in "abc"]

    held = desk.claim(10)
    assert sorted(ids(held)) == [due[0], locked[0]]
    assert desk.finish_all([(each, "succeeded", {}) for each in held])
    assert sorted(ids(desk.claim(10))) == [due[1], locked[1]]


def test_a_job_that_was_parked_and_then_put_off_is_not_run_early(desk: Desk, heavy_task: Task) -> None:
    """Also one that was put off before there was a trigger that lets it go (test_put_off.py)."""

    def check() -> None:
        execute("ALTER TABLE procrastinate_jobs DISABLE TRIGGER youtility_tasks_put_off")
        control = limit(task_name=heavy_task.name, max_running=1)
        first, second = put(heavy_task, 2)
        assert ids(desk.claim(5)) == [first]
        assert parked() == 1
        execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour' WHERE id = %s", second)
        control.max_running = None
        control.save()

        assert desk.claim(5) == []

    must_catch(check, LIMITED, "AND (j.scheduled_at IS NULL OR j.scheduled_at <= instant)", "")


def test_a_limit_that_is_raised_or_lifted_lets_the_parked_jobs_go(desk: Desk, heavy_task: Task) -> None:
    control = limit(task_name=heavy_task.name, max_running=1)
    crowd = put(heavy_task, 8)
    assert ids(desk.claim(10)) == crowd[:1]

    QueueControl.objects.filter(pk=control.pk).update(max_running=3)
    assert ids(desk.claim(10)) == crowd[1:3]

    QueueControl.objects.filter(pk=control.pk).update(max_running=None)
    assert ids(desk.claim(10)) == crowd[3:]
    assert parked() == 0


def test_a_crowd_that_is_parked_hides_nobody(desk: Desk, heavy_task: Task, sweep_task: Task) -> None:
    """More of them than one claim passes by: the worker is told to look again at once."""
    limit(task_name=heavy_task.name, max_running=1)
    put(heavy_task, 300, priority=1)
    (other,) = put(sweep_task)

    taken: list[int] = []
    for _ in range(100):
        *claimed, (_, again, after, *_) = desk.pump(4)
        taken += [row[3] for row in claimed]
        if other in taken:
            break
        assert again or after == 0
    assert other in taken


def test_a_crowd_that_is_paused_behind_its_locks_hides_no_other_lock(
    desk: Desk, locked_task: Task, declare: Callable[..., Task]
) -> None:
    """Jobs with a lock are not parked: claims go through the locks instead, some each time, and soon again."""

    def check() -> None:
        limit(task_name=locked_task.name, is_paused=True)
        enqueue_many(locked_task, ({"key": f"a {number:03}"} for number in range(400)))
        other = int(other_locked.enqueue(key="z").id)

        for _ in range(20):
            *claimed, (_, again, after, *_) = desk.pump(4)
            if claimed:
                assert [row[3] for row in claimed] == [other]
                return
            assert again or (after is not None and after <= 0.1)
        raise AssertionError("it was never found")

    other_locked = declare(also_one_at_a_time, tenant="all", lock=lambda args: args["key"])
    must_catch(check, "youtility_tasks_lock_heads_v2", "NOT p_all AND ", "")
    must_catch(check, LIMITED, "look_after := least(look_after, 0.1)", "NULL")


# -- rates


def test_a_rate_lets_one_start_and_says_when_the_next_one_may(desk: Desk, heavy_task: Task) -> None:
    def check() -> None:
        limit(task_name=heavy_task.name, rate_per_s=10)
        put(heavy_task, 5)

        *claimed, (_, _, after, *_) = desk.pump(10)
        assert len(claimed) == 1
        assert 0.05 < after <= 0.1
        assert desk.claim(10) == []

    must_catch(check, LIMITED, "SET tokens = u.tokens - u.used", "SET tokens = u.tokens")


def test_after_a_quiet_time_as_many_start_as_the_burst_says(desk: Desk, heavy_task: Task) -> None:
    limit(task_name=heavy_task.name, rate_per_s=2, burst=4, tokens=4)
    put(heavy_task, 10)

    assert len(desk.claim(10)) == 4
    execute("UPDATE youtility_tasks_queuecontrol SET refilled_at = refilled_at - interval '1 hour'")
    assert len(desk.claim(10)) == 4


def test_a_worker_that_is_late_makes_up_for_it(desk: Desk, heavy_task: Task) -> None:
    def check() -> None:
        limit(task_name=heavy_task.name, rate_per_s=40)
        put(heavy_task, 20)
        assert len(desk.claim(20)) == 1

        execute("UPDATE youtility_tasks_queuecontrol SET refilled_at = refilled_at - interval '200 ms'")

        assert 8 <= len(desk.claim(20)) <= 11

    must_catch(check, CONTROLS, "1 + c.rate_per_s / 4", "1")


# -- pauses


def test_what_is_paused_stays_and_runs_on_when_it_is_resumed_or_its_time_is_over(
    desk: Desk, heavy_task: Task, sweep_task: Task
) -> None:
    def check() -> None:
        control = limit(queue_name=queues.MAINTENANCE, task_name=heavy_task.name, is_paused=True)
        crowd = put(heavy_task, 2)
        others = put(sweep_task, 2)
        assert ids(desk.claim(10)) == others
        assert look_after(desk) is None

        until = timezone.now() + dt.timedelta(hours=1)
        QueueControl.objects.filter(pk=control.pk).update(paused_until=until)
        after = look_after(desk)
        assert after is not None and 3500 < after <= 3600

        QueueControl.objects.filter(pk=control.pk).update(paused_until=timezone.now())
        assert ids(desk.claim(10)) == crowd

    must_catch(check, CONTROLS, "WHEN p.is_shut THEN 0", "WHEN p.is_shut THEN 9")


def test_a_paused_queue_gives_nothing_and_a_paused_tenant_nothing_of_its_own(
    desk: Desk, add_task: Task, sweep_task: Task, acme: int, other_tenant: int
) -> None:
    whole = limit(queue_name=queues.MAINTENANCE, is_paused=True)
    put(add_task, 2, tenant_id=acme)
    (others,) = put(add_task, tenant_id=other_tenant)
    assert desk.claim(10) == []

    whole.is_paused = False
    whole.save()
    limit(tenant_id=acme, is_paused=True)
    assert ids(desk.claim(10)) == [others]


def test_without_controls_nothing_is_asked_of_them(desk: Desk, sweep_task: Task) -> None:
    limit(queue_name=queues.EMAIL, is_paused=True)
    (job_id,) = put(sweep_task)

    assert ids(desk.claim(1)) == [job_id]
