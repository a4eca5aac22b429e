"""`celery -A tests.celery_bridge.imports.site.celery_app`."""

import os
import time
from datetime import timedelta

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.celery_bridge.imports.settings")

app = Celery("site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {
    "every quarter": {"task": "site.sweep", "schedule": crontab(minute="*/15"), "options": {"expires": 60}},
    "each ninety seconds": {"task": "site.sweep", "schedule": timedelta(seconds=90), "kwargs": {"floor": 3}},
}


@app.task(name="site.sweep")
def sweep(floor: int = 0) -> int:
    return floor


@app.task(name="site.greet", bind=True, max_retries=5)
def greet(self, guest: str = "nobody", times: int = 1) -> str:  # type: ignore[no-untyped-def]
    if guest == "later" and self.request.retries < times:
        raise self.retry(countdown=3600)
    if guest == "nobody":
        raise ValueError("nobody is there")
    return f"hello {guest}"


@app.task(name="site.doze", acks_late=True)
def doze(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.task(name="site.unknown")
def unknown() -> None: ...
