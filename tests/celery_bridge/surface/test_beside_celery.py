"""The usual `proj/celery.py` of the real Celery, with one import changed in its modules of tasks and `register(app)` in its own: Celery's
workers go on as they did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = {
    "proj/__init__.py": "from .celery import app as celery_app\n",
    "proj/celery.py": """
import os
from celery import Celery
from youtility_tasks.celery_bridge import register

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")
app = Celery("proj")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = {"shop.*": {"queue": "left"}, "shop.tasks.sell": {"queue": "right"}}
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="jobs")
register(app)
""",
    "proj/settings.py": """
from youtility_tasks.standalone.settings import *
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "Asia/Tokyo"
YOUTILITY_TASKS = {"celery_bridge_default": "celery", "celery_queues": {"left": "email", "right": "reports"}}
INSTALLED_APPS = [*INSTALLED_APPS, "shop"]
""",
    "shop/__init__.py": "",
    "shop/jobs.py": """
from youtility_tasks.celery_bridge import shared_task


@shared_task
def cut(n):
    return n


@shared_task(name="called otherwise")
def other(n):
    return n
""",
    "shop/tasks.py": """
from youtility_tasks import task
from youtility_tasks.celery_bridge import Task, current_task, shared_task
from youtility_tasks.celery_bridge.signals import task_prerun


class Priced(Task):
    kept = None
    autoretry_for = (OSError,)
    max_retries = 7

    @property
    def prices(self):
        type(self).kept = type(self).kept or {"a": 1}
        return self.kept

    def __call__(self, *args, **kwargs):
        return ["called", super().__call__(*args, **kwargs)]

    def apply_async(self, args=None, kwargs=None, **options):
        return super().apply_async(args, kwargs, **{**options, "headers": {"from": "base"}})


@shared_task(bind=True, base=Priced, reject_on_worker_lost=True, shelf="B")
def price(self, title):
    return [self.prices[title], self.shelf, self.request.called_directly]


@shared_task(acks_late=False, ignore_result=False)
def sell(n):
    return n


heard = []


@shared_task
def told(request, exc, traceback):
    heard.append([request.id, str(exc)])


@shared_task
def fails():
    raise ValueError("as asked")


@task_prerun.connect(sender=fails)
def before_it_fails(task_id=None, **_):
    began.append([task_id, current_task.request.id])


began = []


class Counts(Task):
    name = "shop.counts"

    def _one(self):
        return 1

    def run(self, n):
        return n + self._one()


@task(name="ours")
def ours(*, n: int) -> int:
    return n
""",
}
LOOK = """
import json
import django
django.setup()
from datetime import datetime
from celery import group
from proj.celery import app
from youtility_tasks import registry
from youtility_tasks.celery_bridge import current_app, joining, options
from shop import tasks
current_app.register_task(tasks.Counts())
by_path = [registry.find("shop.jobs.cut") is None, registry.resolve("shop.jobs.cut").name]
joining.load_all()
price, sell = app.tasks["shop.tasks.price"], app.tasks["shop.tasks.sell"]
failed = app.tasks["shop.tasks.fails"].apply(link_error=app.signature("shop.tasks.told"))
known = registry.registered()
print(json.dumps({
    "late": [price.acks_late, sell.acks_late], "ignored": [price.ignore_result, sell.ignore_result],
    "lost": [price.reject_on_worker_lost, sell.reject_on_worker_lost], "started": price.track_started,
    "retries": [price.max_retries, list(map(str, price.autoretry_for))], "said": price.apply(("a",)).get(),
    "ours": ["ours" in app.tasks, app.tasks["ours"].acks_late], "fenced": [price.is_fenced, app.tasks["ours"].is_fenced],
    "queues": [known[each].queue_name for each in ("shop.tasks.price", "shop.tasks.sell")],
    "began": tasks.began == [[failed.id, failed.id]],
    "by path": by_path, "all": "shop.jobs.cut" in app.tasks,
    "told": tasks.heard == [[failed.id, "as asked"]], "counts": app.tasks["shop.counts"].apply((1,)).get(), "map": app.tasks["celery.map"].__module__,
    "due": options.of_call(known["shop.tasks.sell"], {"eta": datetime(2030, 1, 1, 9)}, as_step=False).task.run_after.isoformat(),
}))
"""


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{folder}:{Path.cwd()}", "DJANGO_SETTINGS_MODULE": "proj.settings"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Celery and we make of that project."""
    folder = tmp_path_factory.mktemp("proj")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    ended = run(folder, LOOK)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def test_celerys_workers_take_a_task_as_its_declaration_and_their_settings_say(seen: dict[str, Any]) -> None:
    assert seen["late"] == [True, False]
    assert seen["ignored"] == [True, False]
    assert seen["lost"] == [True, None]
    assert seen["started"] is False


def test_the_applications_own_base_is_there_in_celerys_workers(seen: dict[str, Any]) -> None:
    assert seen["said"] == ["called", [1, "B", False]]
    assert seen["retries"] == [7, ["<class 'OSError'>"]]


def test_an_errback_and_a_task_of_a_class_are_called_there_as_they_are_written(seen: dict[str, Any]) -> None:
    assert (seen["told"], seen["counts"]) == (True, 2)
    assert seen["map"] == "celery.app.builtins"  # what Celery has itself stays its own


def test_tasks_of_modules_with_other_names_are_found_by_their_path(seen: dict[str, Any]) -> None:
    assert (seen["by path"], seen["all"]) == ([True, "shop.jobs.cut"], True)


def test_receivers_of_one_task_and_the_current_task_are_known_there(seen: dict[str, Any]) -> None:
    assert seen["began"]


def test_our_own_tasks_are_celerys_although_register_is_called_before_django_is_ready(seen: dict[str, Any]) -> None:
    assert (seen["ours"], seen["fenced"]) == ([True, True], [True, True])


def test_what_the_real_application_is_told_in_code_counts_here_too(seen: dict[str, Any]) -> None:
    assert seen["queues"] == ["email", "reports"]
    assert seen["due"] == "2030-01-01T09:00:00+00:00"
