"""Run by `test_imports.py`: all three where roles and policies keep tenants apart, as whom the commands connect."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_results.models import TaskResult

from tests.celery_bridge.imports.site.celery_app import app as site
from tests.celery_bridge.programs import Programs
from tests.tenancy.ground import A, B, build
from youtility_tasks.celery_bridge.adopt import adopt
from youtility_tasks.celery_bridge.past_results import import_results
from youtility_tasks.celery_bridge.sources import Tenants
from youtility_tasks.tenancy import roles


def whose(name: str, args: Any, kwargs: Any) -> int | None:
    return (kwargs.get("guest") == "Bob" and B) or A if name == "site.greet" else None


def test_each_tenants_goes_to_its_own(cluster: Any, template: str, django_db_blocker: Any, programs: Programs) -> None:
    with django_db_blocker.unblock():
        house = build(cluster, template)
        try:
            with house.settled():
                nightly = CrontabSchedule.objects.create(minute="30", hour="4", timezone="UTC")
                for name, task, kwargs in (
                    ("swept", "site.sweep", "{}"),
                    ("ada", "site.greet", '{"guest": "Ada"}'),
                    ("bob", "site.greet", '{"guest": "Bob"}'),
                ):
                    PeriodicTask.objects.create(name=name, task=task, crontab=nightly, kwargs=kwargs)
                    TaskResult.objects.create(
                        task_id=name,
                        task_name=task,
                        status="SUCCESS",
                        result="1",
                        content_type="application/json",
                        date_started=timezone.now(),
                    )
                site.conf.broker_url = programs.broker.url(0)
                site.amqp._producer_pool = None
                programs.broker.client().flushall()
                site.tasks["site.sweep"].apply_async((1,))
                site.tasks["site.greet"].apply_async((), {"guest": "Ada"}, countdown=600)
                site.tasks["site.greet"].apply_async((), {"guest": "Bob"}, countdown=600)
                jobs = house.rows("SELECT count(*) FROM procrastinate_jobs")[0][0]

                with roles.acting("web"):
                    out = StringIO()
                    words = (
                        "--json",
                        "--celery-app",
                        "tests.celery_bridge.imports.site.celery_app",
                        "--beat-wait",
                        "0",
                    )
                    with pytest.raises(SystemExit):  # the settings' own schedules wait
                        call_command(
                            "migrate_celery_beat", *words, "--tenant-resolver", f"{__name__}.whose", stdout=out
                        )
                    taken = adopt(site, Tenants(resolver=whose))
                    entered = import_results(Tenants(resolver=whose), timezone.now() + timedelta(seconds=1))

            assert json.loads(out.getvalue())["counts"]["make"] == 3
            assert house.rows("SELECT tenant_id, name FROM youtility_tasks_scheduledtask WHERE name IN ('swept', 'ada', 'bob') ORDER BY 1") == [
                (0, "swept"), (A, "ada"), (B, "bob"),
            ]  # fmt: skip
            assert house.rows("SELECT tenant_id, status FROM youtility_tasks_bridgeschedule ORDER BY 1") == [
                (0, "ours"),
                (A, "ours"),
                (B, "ours"),
            ]
            assert taken.jobs == {"site.sweep": 1, "site.greet": 2} and not taken.left
            assert house.rows("SELECT tenant_id FROM procrastinate_jobs ORDER BY id")[jobs:] == [(0,), (A,), (B,)]
            assert entered.entered.total() == 3 and not entered.passed_over
            assert house.rows(
                "SELECT tenant_id FROM youtility_tasks_history WHERE task_name LIKE 'site.%%' ORDER BY 1"
            ) == [(0,), (A,), (A,)]
            with house.connect("web", A) as web:
                assert web.execute("SELECT DISTINCT tenant_id FROM youtility_tasks_bridgecall").fetchall() == [(A,)]
                assert web.execute("SELECT DISTINCT tenant_id FROM youtility_tasks_bridgeschedule").fetchall() == [(A,)]
        finally:
            house.pull_down()
