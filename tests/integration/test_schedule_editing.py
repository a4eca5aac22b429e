"""A schedule that cannot be meant is refused with what would be right; one that can is made, changed and declared, and entered in the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from tests.integration.desk import rows
from tests.integration.schedules import due, fire, jobs, long_ago, make
from youtility_tasks import Secret, Task, audit, errors, schedules, tenant
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution, TaskAuditLog, TaskExecutionHistory
from youtility_tasks.models.schedules import Reason
from youtility_tasks.schedules import defaults
from youtility_tasks.schedules.declaring import Declared
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ({"cron": "61 * * * *"}, errors.WrongCron, "five fields, minute hour day month weekday"),
        ({"cron": "* * * * * *"}, errors.WrongCron, "it has 6 fields"),
        ({"cron": "R 2 * * *"}, errors.WrongCron, "made up anew in every process"),
        ({"cron": "0 0 30 2 *"}, errors.WrongCron, "'0 0 30 2 *'"),
        ({"cron": "0 0 * * 6", "days": "working_days"}, errors.NeverFires, "on working days"),
        ({"cron": None, "every_s": 0}, errors.WrongSchedule, "every_s is 0; right is a whole number of seconds from 1"),
        ({"cron": None, "every_s": 1.5}, errors.WrongSchedule, "every_s is 1.5"),
        ({"cron": None, "at": datetime(2020, 1, 1, tzinfo=UTC)}, errors.NeverFires, "Once at 2020"),
        ({"cron": None, "at": datetime(2030, 1, 1)}, errors.WrongSchedule, "right is a datetime with its zone"),
        ({"cron": None}, errors.WrongSchedule, "When? Give cron="),
        ({"every_s": 5}, errors.WrongSchedule, "Both cron and every_s"),
        ({"zone": "Europe/Belrin"}, errors.UnknownZone, "Did you mean 'Europe/Berlin'?"),
        ({"zone": "../etc/passwd"}, errors.UnknownZone, "IANA"),
        ({"zone": "localtime"}, errors.UnknownZone, "IANA"),
        ({"args": {"nonsense": 1}}, errors.WrongCall, "right is sweep("),
        ({"args": {"number": float("nan")}}, errors.WrongCall, "number"),
        ({"args": [1]}, errors.WrongSchedule, "dict of arguments by name"),
        ({"tick_argument": "nonsense"}, errors.WrongCall, "nonsense"),
        ({"tick_argument": "number", "args": {"number": 1}}, errors.WrongSchedule, "leave it out"),
        ({"priority": 11}, errors.WrongCall, "1 (most urgent) to 10"),
        ({"queue": "emails"}, errors.WrongCall, "Did you mean 'email'?"),
        ({"missed": "every"}, errors.WrongSchedule, "known: none, latest, all"),
        ({"missed_most": 0}, errors.WrongSchedule, "from 1 to 1000"),
        ({"overlap": "kill"}, errors.WrongSchedule, "allow, skip, cancel_running"),
        ({"days": "workdays"}, errors.WrongSchedule, "Did you mean 'working_days'?"),
        ({"working_weekdays": "0123"}, errors.WrongSchedule, "1 is Monday"),
        ({"jitter_s": -1}, errors.WrongSchedule, "jitter_s is -1"),
        ({"quiet": (time(22), time(22))}, errors.WrongSchedule, "two different wall times"),
        ({"crno": "* * * * *"}, errors.WrongSchedule, "Did you mean 'cron'?"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused_and_nothing_is_written(
    sweep_task: Task, said: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as refused:
        make(sweep_task, **said)
    assert text in str(refused.value)
    assert not ScheduledTask.objects.exists() and not TaskAuditLog.objects.exists()

    if said == {"every_s": 5}:
        return  # that alone makes an interval of a cron
    make(sweep_task, "good")
    with pytest.raises((error, errors.WrongSchedule)):
        schedules.change("good", **(said if any(value is not None for value in said.values()) else {"cron": "x"}))
    assert schedules.get("good").version == 1


def test_names_and_tasks_that_do_not_exist(acme: int, sweep_task: Task, add_task: Task) -> None:
    make(sweep_task)
    with pytest.raises(errors.ScheduleExists, match="called 'it' already"):
        make(sweep_task)
    with pytest.raises(errors.UnknownSchedule, match=r"of the sweeps is called 'itt'. Did you mean 'it'\?"):
        schedules.change("itt", cron="* * * * *")
    with tenant(acme), pytest.raises(errors.UnknownSchedule, match="of tenant 7"):
        schedules.get("it")
    with pytest.raises(errors.WrongCall, match=r"Did you mean 'sweep'\?"):
        schedules.create("x", "sweeep", cron="* * * * *")
    with pytest.raises(errors.WrongCall, match="belongs to one tenant"):
        schedules.create("x", add_task.name, cron="* * * * *")
    with pytest.raises(errors.WrongSchedule, match="1 to 128 printable"):
        schedules.create("a\nb", sweep_task.name, cron="* * * * *")
    with pytest.raises(errors.WrongSchedule, match="is not paused"):
        schedules.resume("it")
    with pytest.raises(errors.WrongSchedule, match="an instant after now"):
        schedules.pause("it", until=datetime(2020, 1, 1, tzinfo=UTC))


def test_every_act_is_entered_with_who_and_why(sweep_task: Task) -> None:
    with audit.acting("ann"):
        make(sweep_task, reason="one")
        schedules.change("it", cron="0 3 * * *", reason="two")
        schedules.pause("it", reason="three")
        schedules.resume("it", reason="four")
        job_id = schedules.run_now("it", reason="five")
        schedules.remove("it", reason="six")
    entered = list(TaskAuditLog.objects.order_by("pk").values_list("actor", "act", "target", "reason"))
    acts = [
        "create schedule",
        "change schedule",
        "pause schedule",
        "resume schedule",
        "run schedule",
        "remove schedule",
    ]
    reasons = ["one", "two", "three", "four", "five", "six"]
    assert entered == [("ann", act, "it", reason) for act, reason in zip(acts, reasons, strict=True)]
    (job,) = jobs(sweep_task)
    assert job.pk == job_id
    (occurrence,) = ScheduledTaskExecution.objects.all()
    assert (occurrence.by_hand, occurrence.job_id, occurrence.outcome) == (True, job_id, "fired")


def test_a_removed_schedule_fires_no_more_and_its_name_can_be_taken_again(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task), minutes=5)
    schedules.remove("it")
    assert len(jobs(sweep_task)) == 1, "what was due before goes by what was said before"
    assert fire(row) is None and schedules.listing() == [] and due() == set()

    again = make(sweep_task, cron="0 4 * * *")

    assert again.pk == row.pk and again.version == 3
    assert len(schedules.occurrences("it")) == 1


def test_run_now_refuses_what_enqueue_refuses_and_writes_nothing(single_task: Task) -> None:
    make(single_task, args={"key": "k"})
    schedules.run_now("it")
    with pytest.raises(errors.WrongSchedule, match="holds the lock or key"):
        schedules.run_now("it")
    assert ScheduledTaskExecution.objects.count() == len(jobs(single_task)) == 1


def test_a_preview_shows_utc_and_wall_times_through_a_change_of_the_clock_and_changes_nothing(sweep_task: Task) -> None:
    found = schedules.preview_new(sweep_task.name, 400, cron="30 2 * * *", zone="Europe/Berlin")
    assert len(found) == 400
    assert {f"{each.wall:%H:%M %z}" for each in found} == {"02:30 +0100", "02:30 +0200", "03:00 +0200"}
    assert all(each.wall.timestamp() == each.tick.timestamp() for each in found)
    assert not ScheduledTask.objects.exists()

    make(sweep_task, cron="0 12 * * *", days="no_holidays", jitter_s=600)
    first, second = schedules.preview("it", 2)
    schedules.holidays.add(first.tick.date(), "a holiday")
    again, _ = schedules.preview("it", 2)
    assert (again.skipped, again.detail, first.skipped) == (Reason.HOLIDAY, "a holiday", None)
    assert first.tick < first.starts_at < first.tick + timedelta(seconds=600) and second.tick - first.tick == timedelta(
        days=1
    )
    changed = schedules.preview("it", 1, cron="0 13 * * *")
    assert changed[0].tick.hour == 13 and schedules.get("it").cron == "0 12 * * *"
    with pytest.raises(errors.WrongCron):
        schedules.preview("it", 1, cron="nonsense")


def test_the_zone_is_the_tenants_unless_it_has_its_own(acme: int, add_task: Task) -> None:
    schedules.holidays.set_zone(acme, "Asia/Kolkata")
    with tenant(acme):
        walls = {
            name: schedules.preview_new(add_task.name, 1, cron="0 9 * * *", zone=zone)[0]
            for name, zone in (("tenant's", ""), ("own", "America/New_York"))
        }
    assert (walls["tenant's"].tick.hour, walls["tenant's"].tick.minute) == (3, 30)
    assert walls["own"].wall.tzname() in {"EST", "EDT"}
    with pytest.raises(errors.UnknownZone):
        schedules.holidays.set_zone(acme, "India")


def test_holidays_belong_to_their_tenant_and_go_again(acme: int, other_tenant: int) -> None:
    with tenant(acme):
        schedules.holidays.add(NOON.date(), "new year")
        schedules.holidays.add(NOON.date(), "New Year")
        assert [each.name for each in schedules.holidays.listing()] == ["New Year"]
    with tenant(other_tenant):
        assert schedules.holidays.listing() == []
        with pytest.raises(errors.WrongSchedule, match="is no holiday"):
            schedules.holidays.remove(NOON.date())
    with tenant(acme):
        schedules.holidays.remove(NOON.date())
        assert schedules.holidays.listing() == []
    with pytest.raises(errors.WrongSchedule, match="right is a date"):
        schedules.holidays.add(NOON, "no date")


def with_a_secret(*, token: Secret[str], number: int = 0) -> str:
    return token


def test_a_marked_argument_is_sealed_in_the_schedule_and_opens_in_its_job(
    acme: int, declare: Callable[..., Task], sweep_task: Task
) -> None:
    task = declare(with_a_secret)
    with tenant(acme):
        row = make(task, args={"token": "canary-token", "number": 1})
        fire(long_ago(row, minutes=5))
        schedules.change("it", cron="0 1 * * *")
        assert schedules.get("it").args == row.args
    stored = rows(
        "SELECT s::text FROM youtility_tasks_scheduledtask s UNION ALL SELECT a::text FROM youtility_tasks_taskauditlog a"
    )
    assert stored and not [text for (text,) in stored if "canary-token" in text]
    (job,) = jobs(task)
    assert "canary-token" not in str(job.args)
    assert run_jobs(task.queue_name) == 1
    assert TaskExecutionHistory.objects.get().outcome == "succeeded"


# -- what code declares


def of_catalog() -> dict[str, str]:
    return {each.name: each.cron for each in schedules.listing()}


def test_set_up_makes_the_catalogs_schedules_once() -> None:
    first, second = defaults.agree(), defaults.agree()

    assert of_catalog() == {
        "create_ppm_job": "3 3,16 * * *",
        "create_job": "27 */8 * * *",
        "auto_close_jobs": "*/30 * * * *",
        "ticket_escalation": "5,35 * * * *",
        "send_reminder_email": "*/10 * * * *",
        "create_scheduled_reports": "22 */8 * * *",
        "send_generated_report_on_mail": "*/30 * * * *",
        "move_media_to_cloud_storage": "0 0 * * 1",
        "cleanup_expired_sessions_task": "0 2 * * *",
        "cleanup_reports_which_are_12hrs_old": "15 * * * *",
        "task_every_min": "* * * * *",
    }
    assert len(first.made) == 11 and second.differences == []


def test_set_up_never_overwrites_an_edit_and_follows_what_nobody_edited(settings: Any, sweep_task: Task) -> None:
    settings.YOUTILITY_TASKS = {"schedules": {
        "edited": {"task": "sweep", "cron": "0 1 * * *"}, "untouched": {"task": "sweep", "cron": "0 1 * * *"},
        "removed": {"task": "sweep", "cron": "0 1 * * *"}, "every": {"task": "sweep", "every_s": 60},
        "task_every_min": None,
    }}  # fmt: skip
    defaults.agree()
    assert "task_every_min" not in of_catalog()
    schedules.change("edited", cron="0 2 * * *")
    schedules.remove("removed")
    make(sweep_task, "by hand", cron="0 3 * * *")
    assert defaults.agree().left == ["edited", "removed"]

    settings.YOUTILITY_TASKS = {"schedules": {
        "edited": {"task": "sweep", "cron": "0 5 * * *"}, "untouched": {"task": "sweep", "cron": "0 5 * * *"},
        "by hand": {"task": "sweep", "cron": "0 5 * * *"}, "removed": {"task": "sweep", "cron": "0 5 * * *"},
        "task_every_min": None,
    }}  # fmt: skip
    told = defaults.agree(dry_run=True)
    assert (told.followed, told.left, told.orphans) == (["untouched"], ["by hand", "edited", "removed"], ["every"])
    assert of_catalog()["untouched"] == "0 1 * * *", "a dry run changes nothing"
    defaults.agree()

    kept = of_catalog()
    assert (kept["edited"], kept["untouched"], kept["by hand"]) == ("0 2 * * *", "0 5 * * *", "0 3 * * *")
    assert "removed" not in kept
    assert schedules.get("untouched").version == 2
    assert defaults.agree(dry_run=True).followed == []


def test_an_edit_that_is_taken_back_follows_again(settings: Any, sweep_task: Task) -> None:
    settings.YOUTILITY_TASKS = {"schedules": {"it": {"task": "sweep", "cron": "0 1 * * *"}}}
    defaults.agree()
    schedules.change("it", cron="0 2 * * *")
    schedules.change("it", cron="0 1 * * *")
    settings.YOUTILITY_TASKS = {"schedules": {"it": {"task": "sweep", "cron": "0 7 * * *"}}}

    assert defaults.agree().followed == ["it"]


def test_a_task_of_one_tenant_has_its_schedule_for_each(
    settings: Any, acme: int, other_tenant: int, add_task: Task
) -> None:
    settings.YOUTILITY_TASKS = {"schedules": {"it": {"task": "add", "cron": "0 1 * * *"}}}
    assert [each for each in defaults.agree().made if each.startswith("it")] == ["it (tenant 7)", "it (tenant 8)"]


def test_what_is_declared_wrongly_is_told_and_keeps_nothing_else_from_being_made(
    settings: Any, sweep_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.YOUTILITY_TASKS = {"schedules": {
        "bad": {"task": "sweep", "cron": "0 25 * * *"}, "good": {"task": "sweep", "cron": "0 1 * * *"},
    }}  # fmt: skip
    flawed = Declared(0, "theirs", {"task": "sweep", "cron": "* * * * * *"}, "@app.periodic", "its cron has 6 fields")
    monkeypatch.setattr(defaults, "sources", [lambda: [flawed]])

    done = defaults.agree()

    assert "good" in done.made and len(done.refused) == 2
    assert "bad, declared by YOUTILITY_TASKS['schedules']: The cron is '0 25 * * *'" in done.refused[0]
    assert "its cron has 6 fields" in done.refused[1]


def test_procrastinates_periodic_tasks_become_schedules_that_tell_the_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    from procrastinate.contrib.django import app

    from youtility_tasks.workers import periodic

    ran = app.task(name="their_report")(lambda timestamp, *, kind="day": kind)
    try:
        app.periodic(cron="*/5 * * * *", periodic_id="week", task_kwargs={"kind": "week"})(ran)
        app.periodic(cron="* * * * * *", periodic_id="second")(ran)
        monkeypatch.setattr(defaults, "sources", [periodic.declared])

        done = defaults.agree()

        assert "their_report:week" in done.made
        assert any("their_report:second" in each and "6 fields" in each for each in done.refused)
        fire(long_ago(schedules.get("their_report:week"), minutes=5))
        ((args, tick),) = [
            (job.args, int(schedules.occurrences("their_report:week")[0].tick_at.timestamp()))
            for job in jobs_named("their_report")
        ]
        assert args == {"kind": "week", "timestamp": tick}
    finally:
        for key in [key for key in app.periodic_registry.periodic_tasks if key[0] == "their_report"]:
            del app.periodic_registry.periodic_tasks[key]
        app.tasks.pop("their_report")


def jobs_named(task_name: str) -> list[Any]:
    from youtility_tasks.models import Job

    return list(Job.objects.filter(task_name=task_name))


def test_the_database_itself_refuses_a_schedule_without_its_timing(sweep_task: Task) -> None:
    make(sweep_task)
    from django.db import IntegrityError, transaction

    for wrong in ("cron = ''", "kind = 'interval'", "kind = 'hourly'", "missed_most = 0", "removed_at = now()"):
        with pytest.raises(IntegrityError, match="yt_schedule"), transaction.atomic():
            rows(f"UPDATE youtility_tasks_scheduledtask SET {wrong} RETURNING id")
