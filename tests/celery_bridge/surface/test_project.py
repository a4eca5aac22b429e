"""The usual `proj/celery.py`, imported by the project's package while Django still reads its settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = {
    "proj/__init__.py": """
from .celery import app as celery_app
__all__ = ("celery_app",)
""",
    "proj/celery.py": """
import os
from youtility_tasks.celery_bridge import Celery, shared_task

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")
app = Celery("proj")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect
def setup_periodic_tasks(sender, **kwargs):
    sender.add_periodic_task(10.0, debug_task.s("hello"), name="every ten seconds")


@app.task(bind=True, ignore_result=True)
def debug_task(self, said=""):
    return f"Request: {self.request!r}"


@shared_task
def early(x):
    return x + 1
""",
    "proj/settings.py": """
from youtility_tasks.standalone.settings import *
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_ROUTES = {"proj.celery.*": {"queue": "email"}}
INSTALLED_APPS = [*INSTALLED_APPS, "shop"]
""",
    "shop/__init__.py": "",
    "shop/models.py": "from .tasks import sell  # as people do\n",
    "shop/tasks.py": """
from youtility_tasks.celery_bridge import shared_task


@shared_task
def sell(n):
    return n * 2
""",
}
LOOK = """
import django
django.setup()
from proj.celery import app, debug_task, early
from shop.models import sell
from youtility_tasks import registry
known = registry.registered()
print([known["proj.celery.debug_task"].queue_name, known["shop.tasks.sell"].queue_name, "proj.celery.early" in known])
print(early(1), early.delay(1).get(), sell.delay(4).get(), (early.s(1) | sell.s()).delay().get(), debug_task.name, debug_task.delay().state)
print({name: (entry["task"], entry["schedule"], entry["args"]) for name, entry in app.conf.beat_schedule.items()})
"""
PICKLE = "CELERY_TASK_SERIALIZER = 'pickle'\n"


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{folder}:{Path.cwd()}", "DJANGO_SETTINGS_MODULE": "proj.settings"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_usual_project_is_imported_with_one_import_changed(tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    ended = run(tmp_path, LOOK)

    assert ended.stdout.splitlines() == [
        "['email', 'maintenance', True]",
        "2 2 8 4 proj.celery.debug_task SUCCESS",
        "{'every ten seconds': ('proj.celery.debug_task', 10.0, ('hello',))}",
    ], ended.stderr
    with (tmp_path / "proj/settings.py").open("a") as file:
        file.write(PICKLE)
    refused = run(tmp_path, LOOK)
    assert "NotOfCelery: The setting task_serializer = 'pickle'" in refused.stderr
