"""A project with nothing in it but tasks; every Django project that is measured has these applications and no more."""

import os

import django

from youtility_tasks import queues
from youtility_tasks.standalone.database import from_url

SECRET_KEY = "bench"  # noqa: S105 - no page is served
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {**from_url(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": None}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    *(["django_tasks"] if django.VERSION < (6, 0) else []),
    "procrastinate.contrib.django",
    "youtility_tasks",
    "youtility_tasks.bench.ours",
]
TASKS = {
    "default": {
        "BACKEND": "youtility_tasks.backends.ProcrastinateBackend",
        "QUEUES": [queues.HIGH_PRIORITY, queues.EMAIL, queues.REPORTS, queues.MAINTENANCE],
    }
}
LOGGING = {"version": 1, "disable_existing_loggers": False, "root": {"level": "WARNING"}}
