"""The bundled project beside a small site with Celery, django-celery-beat and django-celery-results."""

import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "django_celery_beat", "django_celery_results", "tests.celery_bridge.imports.site"]
YOUTILITY_TASKS = {"allow_unsafe_database": True}

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER", "redis://127.0.0.1:1/0")
CELERY_RESULT_BACKEND = os.environ.get("CELERY_RESULTS", "django-db")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "Asia/Kolkata"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_TRACK_STARTED = True
CELERY_ACCEPT_CONTENT = ["json", "pickle"]
