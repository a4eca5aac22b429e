"""The doctor: silent when all is well, and for each kind of trouble one problem with what to do."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.core import checks
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone

from tests.acceptance.crew import until
from youtility_tasks import audit, controls, metrics, operations, queries, queues, schedules, tenant
from youtility_tasks.doctor import ground, schema, work
from youtility_tasks.models import (
    Job,
    MetricsMark,
    QueueControl,
    Redrive,
    ScheduledTask,
    TaskEffect,
    TaskOperation,
    TaskWorker,
    UpkeepDuty,
)
from youtility_tasks.schedules import defaults
from youtility_tasks.testing import run_jobs
from youtility_tasks.upkeep import history_days

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db):
    """A live worker for each queue, which has made the history's days; the catalog's schedules are there."""
    history_days.make_days(metrics.database_clock())
    defaults.agree()
    for number, name in enumerate(queues.configured(), start=10**6):
        TaskWorker.objects.create(pk=number, host="host-a", pid=number, queue_name=name, status="running")


@pytest.fixture
def examine(manage):
    """The doctor's checks by name, and the exit status."""

    def run():
        said = manage("doctor", "--json")
        assert said.json["ok"] is (said.code == 0)
        return {each["name"]: each for each in said.json["checks"]}, said.code

    return run


def problems(found):
    return {name for name, each in found.items() if not each["ok"]}


def test_all_is_well(examine, manage, staff, tasks):
    found, code = examine()

    assert (problems(found), code) == (set(), 0)
    assert found.keys() == {
        "settings", "system checks", "schedules", "procrastinate", "database", "migrations", "schema", "history days", "safety", "tenants", "clocks",
        "workers", "silent workers", "oldest waiting job", "dead letters", "operations", "unknown tasks", "secret keys", "effects", "pauses", "limits", "parked jobs", "numbers",
        "old snapshots", "late schedules", "declared schedules",
    }  # fmt: skip
    assert all(each["advice"] == "" for each in found.values())
    assert "All is well." in manage("doctor").out


def test_a_problem_is_told_with_what_to_do_and_ends_with_1(manage, db):
    history_days.make_days(metrics.database_clock())
    defaults.agree()
    said = manage("doctor")

    assert said.code == 1
    assert "nobody serves email, high_priority, maintenance, reports" in said.out
    assert "Start `run_postgresql_worker --queues email high_priority maintenance reports`." in said.out
    assert "1 of 26 need attention." in said.out


def test_days_that_are_not_made_ahead(examine, staff):
    with connection.cursor() as cursor:
        cursor.execute("SELECT youtility_tasks_drop_history_day_v1((now() AT TIME ZONE 'UTC')::date + 1)")

    found, code = examine()

    assert (problems(found), code) == ({"history days"}, 1)
    assert found["history days"]["found"].startswith("not made: 2")


def test_a_duty_of_upkeep_that_failed(examine, staff):
    UpkeepDuty.objects.create(name="remove old", error="LockNotAvailable: busy")

    found, _ = examine()

    assert problems(found) == {"history days"}
    assert found["history days"]["found"] == "upkeep could not remove old: LockNotAvailable: busy"


def test_a_queue_without_a_live_worker(examine, staff):
    TaskWorker.objects.filter(queue_name="email").update(status="draining", heartbeat_at=timezone.now() - timedelta(1))

    found, code = examine()

    assert code == 1
    assert problems(found) == {"workers", "silent workers"}
    assert found["workers"]["advice"] == "Start `run_postgresql_worker --queues email`."
    assert "email on host-a" in found["silent workers"]["found"]


def test_dead_letters_are_counted_by_task(examine, staff, tasks, acme, other_tenant, enqueue):
    for tenant_id in (acme, other_tenant):
        enqueue(tenant_id, tasks.break_window)
    run_jobs()

    found, _ = examine()

    assert problems(found) == {"dead letters"}
    assert found["dead letters"]["found"] == "2: break_window 2"


def test_a_redrive_that_was_left_in_the_middle_is_told(examine, staff, acme):
    left = Redrive.objects.create(tenant_id=acme, key="k", started_by="x", total_count=3, failed_until=timezone.now())
    assert problems(examine()[0]) == set(), "it may go on at this moment"

    Redrive.objects.update(started_at=timezone.now() - timedelta(minutes=11))

    told = examine()[0]["dead letters"]
    assert (told["ok"], told["found"]) == (False, f"0; left in the middle: redrive {left.pk}")
    assert f"`manage_task_queue dead-letters resume {left.pk}`" in told["advice"]
    Redrive.objects.update(ended_at=timezone.now())
    assert problems(examine()[0]) == set()


def test_an_operation_that_no_worker_carries_on_is_told(examine, staff, acme):
    with tenant(acme):
        left = operations.begin("cancel")
    assert problems(examine()[0]) == set(), "it may go on at this moment"

    TaskOperation.objects.update(started_at=timezone.now() - timedelta(minutes=61))

    told = examine()[0]["operations"]
    assert (told["ok"], told["found"]) == (False, f"unfinished for long: {left.pk}")
    assert f"`manage_task_queue operations stop {left.pk}`" in told["advice"]


def test_a_job_that_waits_too_long(examine, staff, tasks, acme, enqueue):
    job_id = enqueue(acme, tasks.lose_key)
    assert problems(examine()[0]) == set()
    Job.objects.filter(pk=job_id).update(enqueued_at=timezone.now() - timedelta(minutes=6))

    found, _ = examine()

    assert problems(found) == {"oldest waiting job"}
    assert "s in email, where 1 wait" in found["oldest waiting job"]["found"]


@pytest.mark.parametrize(("worker_min", "folded_min", "is_problem"), [(20, 16, True), (20, 14, False), (14, 16, False)])
def test_numbers_that_nobody_adds_up(worker_min, folded_min, is_problem, examine, staff):
    now = metrics.database_clock()
    TaskWorker.objects.update(started_at=now - timedelta(minutes=worker_min))
    mark = {"system_id": 0, "upto": 0, "open": [], "base_id": 0, "last_id": 0}
    MetricsMark.objects.update_or_create(
        id=1, defaults={"folded_at": now - timedelta(minutes=folded_min)},
        create_defaults={**mark, "folded_at": now - timedelta(minutes=folded_min)},
    )  # fmt: skip

    found, _ = examine()

    assert problems(found) == ({"numbers"} if is_problem else set())
    assert ("not added up since" in found["numbers"]["found"]) is is_problem


def test_a_job_whose_task_nobody_declares(examine, staff, tasks, acme, enqueue):
    Job.objects.filter(pk=enqueue(acme, tasks.lose_key)).update(task_name="gone_since_march")

    found, _ = examine()

    assert problems(found) == {"unknown tasks"}
    assert found["unknown tasks"]["found"] == "jobs of gone_since_march (1)"


@pytest.mark.parametrize(
    ("age_min", "row", "is_problem"),
    [
        (90, {"status": "pending"}, True),
        (30, {"status": "pending"}, False),
        (90, {"status": "reserved", "lease_until": timezone.now() - timedelta(minutes=1)}, True),
        (90, {"status": "reserved", "lease_until": timezone.now() + timedelta(days=1)}, False),
        (90, {"status": "done", "done_at": timezone.now()}, False),
    ],
)
def test_an_effect_that_was_left_behind(age_min, row, is_problem, examine, staff):
    row = TaskEffect.objects.create(tenant_id=7, key="mail:1", task_name="send_ticket_email", **row)
    TaskEffect.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=age_min))

    found, _ = examine()

    assert problems(found) == ({"effects"} if is_problem else set())
    assert ("send_ticket_email 1" in found["effects"]["found"]) is is_problem


def test_a_schedule_that_cannot_be_read(examine, staff, tasks):
    object.__setattr__(tasks.build_tower, "schedule", "61 * * * *")

    found, _ = examine()

    assert problems(found) == {"schedules"}
    assert "build_tower ('61 * * * *')" in found["schedules"]["found"]


def test_a_system_check_that_fails(examine, staff, monkeypatch):
    monkeypatch.setattr(checks, "run_checks", lambda: [checks.Warning("so what"), checks.Error("broken", id="x.E1")])

    found, _ = examine()

    assert problems(found) == {"system checks"}
    assert found["system checks"]["found"] == "x.E1: broken"


def test_settings_that_cannot_be_read_end_the_examination(examine, settings, staff):
    settings.YOUTILITY_TASKS = {"leese_s": 10}

    found, _ = examine()

    assert "settings" in problems(found)
    assert "Did you mean 'lease_s'?" in found["settings"]["found"]
    assert "database" not in found


def test_clocks_that_differ(examine, staff, monkeypatch):
    monkeypatch.setattr(metrics, "database_clock", lambda: timezone.now() - timedelta(seconds=30))

    found, _ = examine()

    assert problems(found) == {"clocks"}
    assert "this host is 30.0" in found["clocks"]["found"]
    assert "ahead of the database" in found["clocks"]["found"]


def test_an_untested_procrastinate(examine, staff, monkeypatch):
    monkeypatch.setattr(schema, "procrastinate_version", lambda: "4.0.1")

    found, _ = examine()

    assert problems(found) == {"procrastinate"}
    assert found["procrastinate"]["advice"] == "Install a version that we have tested: >= 3.10, < 4.0."


def test_an_index_that_somebody_dropped(examine, staff):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX youtility_tasks_jobs_due_free")

    found, _ = examine()

    assert problems(found) == {"schema"}
    assert found["schema"]["found"] == "1 missing: index youtility_tasks_jobs_due_free"
    assert "changed by hand" in found["schema"]["advice"]


def test_a_database_that_is_too_old(examine, staff, monkeypatch):
    monkeypatch.setattr(ground, "OLDEST_POSTGRESQL", 99)

    found, _ = examine()

    assert problems(found) == {"database"}
    assert found["database"]["advice"] == "Move to PostgreSQL 99 or newer: the queue needs it."


def test_a_look_that_the_database_refuses_is_a_problem_found(examine, staff, monkeypatch):
    def refuse():
        raise OperationalError("the server\nwent away")

    monkeypatch.setattr(metrics, "queue_numbers", refuse)

    found, code = examine()

    assert (problems(found), code) == ({"oldest waiting job"}, 1)
    assert found["oldest waiting job"]["found"] == "not reachable: the server"


HOG = "a report that forgot to end, idle in transaction"


@pytest.mark.parametrize(("limit_s", "is_problem"), [(-1, True), (3_600, False)])
def test_a_transaction_that_is_left_open_holds_back_vacuum(limit_s, is_problem, examine, staff, monkeypatch):
    monkeypatch.setattr(work, "LONGEST_SNAPSHOT_S", limit_s)
    with psycopg.connect(queries.conninfo("a report that forgot to end")) as hog:
        hog.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        hog.execute("SELECT 1 FROM procrastinate_jobs")

        # Another test's session on this server may have one open for longer yet: the oldest is told.
        found = until(
            lambda: (seen := examine()[0]) and (not is_problem or HOG in seen["old snapshots"]["found"]) and seen
        )

    assert problems(found) == ({"old snapshots"} if is_problem else set())
    assert (HOG in found["old snapshots"]["found"]) is is_problem


def test_a_pause_that_somebody_forgot(examine, staff, acme):
    with audit.acting("ada"):
        controls.pause(queue="email", reason="until the server is back")
    controls.pause(tenant=acme, minutes=3_000)
    assert problems(examine()[0]) == set()
    QueueControl.objects.update(paused_at=timezone.now() - timedelta(days=2))
    controls.limit(queue="email", running=4)

    found, code = examine()

    assert (problems(found), code) == ({"pauses"}, 1)
    assert (
        found["pauses"]["found"]
        == "for more than a day, without an end: queue email (by ada: until the server is back)"
    )


def test_a_limit_of_what_does_not_exist(examine, staff, tasks):
    controls.limit(task="polish_floor", queue="email", running=4)
    assert problems(examine()[0]) == set()
    QueueControl.objects.create(queue_name="letters", max_running=1)
    QueueControl.objects.create(task_name="wax_floor", max_running=1)

    found, _ = examine()

    assert problems(found) == {"limits"}
    assert found["limits"]["found"] == "for what does not exist (any more): queue letters, task wax_floor"


def test_jobs_parked_under_a_limit_that_is_gone(examine, staff, tasks, acme, enqueue):
    job_ids = [enqueue(acme, tasks.polish_floor) for _ in range(3)]
    made = controls.limit(task="polish_floor", running=1)
    Job.objects.filter(pk__in=job_ids[:2]).update(parked_by=made.control_id)
    assert problems(examine()[0]) == set()
    QueueControl.objects.all().delete()

    found, _ = examine()

    assert problems(found) == {"parked jobs"}
    assert found["parked jobs"]["found"] == "under a limit or a pause that is gone: 2 in maintenance"


# -- schedules


def test_schedules_that_are_declared_and_not_there_or_not_as_declared(examine, staff, tasks):
    schedules.remove("create_job")
    schedules.change("task_every_min", cron="*/2 * * * *")
    found, code = examine()
    assert code == 0, "somebody has decided so"
    assert "create_job was edited, and is not as declared" in found["declared schedules"]["found"]
    assert "task_every_min was edited" in found["declared schedules"]["found"]

    ScheduledTask.objects.filter(name="auto_close_jobs").delete()
    found, code = examine()
    assert (problems(found), code) == ({"declared schedules"}, 1)
    assert "auto_close_jobs is declared and not made" in found["declared schedules"]["found"]
    assert "setup_task_queue" in found["declared schedules"]["advice"]


def test_a_schedule_that_is_due_and_that_nobody_fires(examine, staff, acme, other_tenant):
    ScheduledTask.objects.filter(name="auto_close_jobs").update(next_at=Now() - timedelta(minutes=2))
    found, _ = examine()
    assert problems(found) == {"late schedules"}
    assert "auto_close_jobs" in found["late schedules"]["found"]
