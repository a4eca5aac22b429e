"""Run by `test_imports.py` in a project that has django-celery-beat: its rows become schedules of ours, and go back."""

from __future__ import annotations

import json
import os
import shelve
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery.beat import PersistentScheduler
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)

from tests.celery_bridge.imports.site.celery_app import app as site
from tests.celery_bridge.programs import Programs, until
from tests.conftest import point_django_at
from youtility_tasks import roster, schedules
from youtility_tasks.celery_bridge import beat_file, holding
from youtility_tasks.models import BridgeSchedule, Job, ScheduledTask, ScheduledTaskExecution
from youtility_tasks.schedules import clock, firing
from youtility_tasks.schedules.reading import read

SETTINGS = "tests.celery_bridge.imports.settings"
APP = "tests.celery_bridge.imports.site.celery_app"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def acme() -> int:
    return roster.add(7, "ACME Towers").pk


def migrate(*words: str, wait: float = 0.0) -> dict[str, Any]:
    """The command's document, and its exit status as `code`."""
    out, code = StringIO(), 0
    try:
        call_command("migrate_celery_beat", *words, "--json", "--celery-app", APP, "--beat-wait", str(wait), stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    return {**json.loads(out.getvalue()), "code": code}


def of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document["schedules"]}


def row(name: str, task: str = "site.sweep", **said: Any) -> PeriodicTask:
    if not {"crontab", "interval", "clocked", "solar"} & set(said):
        said["crontab"] = CrontabSchedule.objects.get_or_create(minute="30", hour="4", timezone="Asia/Kolkata")[0]
    return PeriodicTask.objects.create(name=name, task=task, **said)


def ran_at(made: PeriodicTask, at: datetime, count: int = 1) -> PeriodicTask:
    PeriodicTask.objects.filter(pk=made.pk).update(last_run_at=at, total_run_count=count)
    return PeriodicTask.objects.get(pk=made.pk)


def every(number: int, period: str) -> IntervalSchedule:
    return IntervalSchedule.objects.create(every=number, period=period)


def ours(name: str) -> ScheduledTask:
    return ScheduledTask.objects.get(name=name)


def ticks(name: str) -> list[datetime]:
    found = ScheduledTaskExecution.objects.filter(schedule_id=ours(name).pk, outcome="fired").order_by("tick_at")
    return [each.tick_at for each in found]


def fire(name: str) -> None:
    made = ours(name)
    firing.fire(made.pk, made.tenant_id)


def test_every_kind_becomes_ours_and_what_cannot_is_told_while_the_rest_goes_on() -> None:
    soon = timezone.now() + timedelta(days=2)
    row("nightly", kwargs='{"floor": 2}', expire_seconds=900, queue="email", priority=0)
    row(
        "first monday",
        crontab=CrontabSchedule.objects.create(
            minute="0", hour="4", day_of_month="1-7", day_of_week="mon", timezone="Europe/Berlin"
        ),
    )
    row("hourly", interval=every(2, "hours"), args="[5]", expires=soon)
    row("once then", clocked=ClockedSchedule.objects.create(clocked_time=soon), one_off=True)
    row("next night", one_off=True)
    row("next month", start_time=soon)
    row("asleep", enabled=False)
    row("tenant's", "site.greet", kwargs='{"guest": "Ada"}', headers='{"youtility_tenant": 7}', priority=9)
    row("by key", routing_key="celery")
    row("dawn", solar=SolarSchedule.objects.create(event="sunrise", latitude=19, longitude=72))
    row("too often", interval=every(500_000, "microseconds"))
    row("nobody's", "site.greet")
    row("unknown", "site.unknown")
    row("with headers", headers='{"x-user": "7"}')
    row("by exchange", exchange="elsewhere")
    row("wrong json", args="[1")
    row("wrong word", kwargs='{"flor": 2}')
    row("celery.backend_cleanup", "celery.backend_cleanup")
    row("has run", one_off=True, total_run_count=1)
    row("ended", expires=timezone.now() - timedelta(days=1))

    before = list(PeriodicTask.objects.order_by("pk").values())
    dry = migrate("--dry-run")
    assert ScheduledTask.objects.count() == BridgeSchedule.objects.count() == 0
    assert list(PeriodicTask.objects.order_by("pk").values()) == before
    assert of(dry)["nightly"]["changes"]["cron"] == [None, "30 4 * * *"]

    done = of(migrate())

    assert {name: each["outcome"] for name, each in done.items()} == {
        name: each["outcome"] for name, each in of(dry).items()
    }
    outcomes: dict[str, set[str]] = {}
    for name, each in done.items():
        outcomes.setdefault(each["outcome"], set()).add(name)
    assert outcomes["make"] == {
        "nightly",
        "first monday",
        "hourly",
        "once then",
        "next night",
        "next month",
        "asleep",
        "tenant's",
        "by key",
    }
    assert outcomes["refused"] == {
        "dawn", "too often", "nobody's", "unknown", "with headers", "by exchange", "wrong json", "wrong word",
    }  # fmt: skip
    assert (outcomes["over"], outcomes["of celery"]) == ({"has run", "ended"}, {"celery.backend_cleanup"})
    assert (
        outcomes["waits"] == {"every quarter", "each ninety seconds"} and "1. stop Beat" in done["every quarter"]["why"]
    )
    for name, words in {
        "dawn": "solar", "too often": "a loop inside", "nobody's": "tenant", "unknown": "shared_task", "by exchange": "no queue of this",
    }.items():  # fmt: skip
        assert words in done[name]["why"]

    nightly = ours("nightly")
    assert (nightly.tenant_id, nightly.task_name, nightly.args, nightly.cron, nightly.zone) == (
        0,
        "site.sweep",
        {"floor": 2},
        "30 4 * * *",
        "Asia/Kolkata",
    )
    assert (nightly.expire_s, nightly.queue_name, nightly.priority, nightly.is_paused) == (900, "email", 1, False)
    monday = ours("first monday")
    assert (monday.cron, monday.days, monday.working_weekdays, monday.zone) == (
        "0 4 1-7 * *",
        "weekdays",
        "1",
        "Europe/Berlin",
    )
    assert (ours("hourly").every_s, ours("hourly").args, ours("hourly").until) == (7_200, {"floor": 5}, soon)
    assert (ours("once then").kind, ours("once then").at) == ("once", soon)
    assert ours("next night").kind == "once" and ours("next night").at == ours("nightly").next_at
    assert ours("next month").paused_until == soon and ours("asleep").is_paused and ours("asleep").paused_until is None
    assert (ours("tenant's").tenant_id, ours("tenant's").priority, ours("tenant's").args) == (7, 10, {"guest": "Ada"})
    assert set(PeriodicTask.objects.filter(enabled=True).values_list("name", flat=True)) == (
        outcomes["refused"] | outcomes["over"] | outcomes["of celery"]
    )
    assert PeriodicTask.objects.get(name="next month").start_time == soon, "its row is as it was, for the way back"


def test_a_second_run_changes_nothing_and_edits_on_either_side_are_told_apart() -> None:
    kept, edited, renamed, gone, mine = (
        row(name, kwargs='{"floor": 1}') for name in ("kept", "edited", "renamed", "gone", "mine")
    )
    row("paced", interval=every(10, "minutes"))
    assert migrate()["counts"]["make"] == 6

    versions = list(ScheduledTask.objects.order_by("pk").values_list("pk", "version", "next_at"))
    again = migrate()
    assert again["counts"]["same"] == 6 and "make" not in again["counts"]
    assert list(ScheduledTask.objects.order_by("pk").values_list("pk", "version", "next_at")) == versions

    PeriodicTask.objects.filter(pk=edited.pk).update(kwargs='{"floor": 8}', priority=3)
    PeriodicTask.objects.filter(pk=renamed.pk).update(name="renamed since")
    PeriodicTask.objects.filter(pk=mine.pk).update(kwargs='{"floor": 9}')
    schedules.change("mine", cron="0 5 * * *", reason="the office")
    gone.delete()

    dry = of(migrate("--dry-run"))
    done = migrate()

    found = of(done)
    assert {name: each["outcome"] for name, each in dry.items()} == {
        name: each["outcome"] for name, each in found.items()
    }
    assert {name: found[name]["outcome"] for name in ("kept", "edited", "renamed since", "gone", "mine")} == {
        "kept": "same", "edited": "change", "renamed since": "change", "gone": "gone", "mine": "left",
    }  # fmt: skip
    assert found["edited"]["changes"] == {"args": [{"floor": 1}, {"floor": 8}], "priority": [None, 4]}
    assert (ours("edited").args, ours("edited").priority, ours("mine").args) == ({"floor": 8}, 4, {"floor": 1})
    assert not ScheduledTask.objects.filter(name="renamed").exists() and ours("gone").removed_at is None
    assert done["code"] == 1, "one is left as somebody here made it"
    assert of(migrate())["edited"]["outcome"] == "same"
    assert kept.pk


def test_what_beat_has_fired_does_not_fire_again_and_what_fell_due_since_does_once() -> None:
    minute = CrontabSchedule.objects.create(minute="*", timezone="UTC")
    now = timezone.now()
    this_minute = now.replace(second=0, microsecond=0)
    ran_at(row("fired", crontab=minute), this_minute + timedelta(milliseconds=20))
    ran_at(row("due", crontab=minute), this_minute - timedelta(minutes=3, seconds=30))
    ran_at(row("paced", interval=every(100, "seconds")), now - timedelta(seconds=250))
    ran_at(row("just paced", interval=every(100, "seconds")), now - timedelta(seconds=30))
    row("past", clocked=ClockedSchedule.objects.create(clocked_time=now - timedelta(hours=1)), one_off=True)
    before = set(PeriodicTask.objects.values_list("name", flat=True))

    migrate()
    for name in before:
        if timezone.now().replace(second=0, microsecond=0) != this_minute:
            pytest.skip("a minute began meanwhile")
        fire(name)

    assert ticks("fired") == [] and ours("fired").next_at == this_minute + timedelta(minutes=1)
    assert ticks("due") == [this_minute], "of those that were missed the latest, as Beat does"
    assert ticks("paced") == [now - timedelta(seconds=50)] and ours("paced").next_at == now + timedelta(seconds=50)
    assert ticks("just paced") == [] and ours("just paced").next_at == now + timedelta(seconds=70)
    assert ticks("past") == [now - timedelta(hours=1)]
    killed = ran_at(row("killed", crontab=minute), this_minute - timedelta(minutes=3))
    migrate("--beat-stopped-at", timezone.now().isoformat())
    fire("killed")
    assert ticks("killed") == [], "Beat was killed before it wrote down what it had fired"
    assert killed.pk


def test_jobs_of_an_imported_schedule_expire_and_it_ends_when_beats_would() -> None:
    now = timezone.now()
    ran_at(row("brief", interval=every(100, "seconds"), expire_seconds=30), now - timedelta(seconds=110))
    until_then = now + timedelta(seconds=80)
    ran_at(row("ending", interval=every(50, "seconds"), expires=until_then), now - timedelta(seconds=60))
    ran_at(row("over", interval=every(100, "seconds"), expires=until_then), now - timedelta(seconds=10))

    assert of(migrate())["over"]["outcome"] == "over"
    fire("brief")
    fire("ending")

    assert [job.expires_at for job in Job.objects.order_by("pk")] == [now + timedelta(seconds=20), None]
    assert ticks("ending") == [now - timedelta(seconds=10)] and ours("ending").next_at == now + timedelta(seconds=40)
    assert list(clock.ticks(read(ours("ending")).rule, now)) == [now + timedelta(seconds=40)]


def test_back_and_forth_no_tick_is_lost_or_doubled() -> None:
    now = timezone.now()
    made = ran_at(row("paced", interval=every(100, "seconds")), now - timedelta(seconds=250))
    row("asleep", enabled=False)
    migrate()

    back = migrate("--back", "paced")

    assert back["counts"] == {"back": 1} and ScheduledTask.objects.there().count() == 1
    made.refresh_from_db()
    assert made.enabled and made.last_run_at == now - timedelta(seconds=50), "so Beat goes on in its step"
    assert [each.tick_at for each in ScheduledTaskExecution.objects.filter(outcome="fired")] == [
        now - timedelta(seconds=50)
    ]
    assert migrate("--dry-run")["counts"]["make"] == 1
    migrate()
    assert ours("paced").next_at == now + timedelta(seconds=50)
    made.refresh_from_db()
    assert not made.enabled
    migrate("--back")
    assert not PeriodicTask.objects.get(name="asleep").enabled
    assert migrate("--back", "pacd")["code"] == 1


def test_a_row_that_was_enabled_in_beat_again_is_refused_aloud() -> None:
    made = row("nightly")
    migrate()
    PeriodicTask.objects.filter(pk=made.pk).update(enabled=True)

    assert "fires on both sides" in of(migrate())["nightly"]["why"]


def test_schedules_of_the_settings_are_ours_once_beat_is_said_to_be_stopped() -> None:
    stopped = timezone.now() - timedelta(seconds=100)

    done = of(migrate("--beat-stopped-at", stopped.isoformat()))

    assert done["every quarter"]["outcome"] == done["each ninety seconds"]["outcome"] == "make"
    assert (ours("every quarter").cron, ours("every quarter").zone, ours("every quarter").expire_s) == (
        "*/15 * * * *",
        "Asia/Kolkata",
        60,
    )
    fire("each ninety seconds")
    assert ticks("each ninety seconds") == [stopped + timedelta(seconds=90)]
    assert of(migrate())["every quarter"]["outcome"] == "same"


def test_beats_own_file_says_when_it_fired_what(tmp_path: Path) -> None:
    file = tmp_path / "celerybeat-schedule"
    beat = PersistentScheduler(app=site, schedule_filename=str(file))
    beat.schedule["each ninety seconds"] = next(beat.schedule["each ninety seconds"])
    ran = beat.schedule["each ninety seconds"].last_run_at
    beat.close()

    done = of(migrate("--beat-file", str(file)))

    assert done["each ninety seconds"]["outcome"] == "make"
    assert ours("each ninety seconds").next_at == ran + timedelta(seconds=90)
    assert "right is what" in migrate("--beat-file", str(tmp_path / "nothing"))["error"]["message"]


def test_a_file_that_names_a_function_runs_none(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "sprung"),)

    with shelve.open(str(tmp_path / "beat")) as file:  # noqa: S301
        file["entries"] = {"trap": Trap()}

    assert beat_file.last_runs(str(tmp_path / "beat")) == {}
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("point", ["beat_held", "beat_handed_over"])
def test_a_kill_in_the_middle_leaves_nothing_that_fires_twice_and_the_next_run_ends_it(
    point: str, programs: Programs, shared: None
) -> None:
    then = timezone.now() + timedelta(days=3)
    made = row("nightly", start_time=then)
    words = ("migrate_celery_beat", "--celery-app", APP, "--beat-wait", "0")

    killed = programs.manage(*words, settings=SETTINGS, YOUTILITY_TASKS_FAILPOINTS=f"{point}=kill")

    assert killed.returncode == -signal.SIGKILL
    assert not ScheduledTask.objects.exists() and BridgeSchedule.objects.get().status == "held"
    assert PeriodicTask.objects.get(pk=made.pk).start_time > timezone.now() + timedelta(days=1_000), "nobody fires it"
    done = migrate()
    assert done["counts"]["make"] == 1 and ours("nightly").paused_until == then
    made.refresh_from_db()
    assert (made.enabled, made.start_time) == (False, then)
    assert not PeriodicTask.objects.filter(name=holding.PROBE).exists()


def test_a_living_beat_fires_up_to_the_hand_over_and_ours_from_then_on(programs: Programs, shared: None) -> None:
    row("each second", interval=every(1, "seconds"), kwargs='{"floor": 4}')
    beat = programs.beat(
        APP, "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", DJANGO_SETTINGS_MODULE=SETTINGS
    )
    redis = programs.broker.client()
    until(lambda: redis.llen("celery") >= 2, why="Beat has fired")

    done = migrate(wait=15)

    assert done["beat_answered"] is True
    assert done["counts"]["make"] == 3, "with those that Beat itself enters from the settings"
    sent = redis.llen("celery")
    theirs = PeriodicTask.objects.get(name="each second")
    assert theirs.total_run_count == sent and not theirs.enabled, "it has written down all that it has fired"
    first = ours("each second")
    assert first.settled_to == theirs.last_run_at
    until(lambda: timezone.now() > theirs.last_run_at + timedelta(seconds=2.2))
    fire("each second")
    assert redis.llen("celery") == sent, "Beat lives, and fires it no more"
    found = ticks("each second")
    assert found and (found[0] - theirs.last_run_at).total_seconds() % 1 == 0
    back = migrate("--back", "each second")
    assert back["counts"] == {"back": 1}
    until(lambda: redis.llen("celery") > sent, why="Beat fires it again")
    beat.kill()  # a SIGTERM that comes while it calls a finalizer is lost: Python says "Exception ignored", and it lives on


@pytest.fixture
def shared(module_database: str, programs: Programs) -> Iterator[None]:
    """Let this process look where the programs do."""
    before = {key: connections.databases["default"][key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    point_django_at(module_database)
    programs.broker.client().flushall()
    for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, PeriodicTasks, BridgeSchedule, ScheduledTask):
        model.objects.all().delete()
    yield
    connections["default"].close()
    connections.databases["default"].update(before)
