"""`celery -A tests.celery_bridge.app.celery_app`, as Celery's documentation lays it out for Django, with our tasks given to it."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.celery_bridge.settings")

import django

django.setup()

from youtility_tasks.celery_bridge import register  # noqa: E402

app = Celery("small")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
register(app)
