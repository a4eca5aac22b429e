"""`celery -A youtility_tasks.verify.bridge.celery_app`: the real Celery of a run, which is given our tasks."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "youtility_tasks.verify.bridge.settings")

import django

django.setup()

from youtility_tasks.celery_bridge import register  # noqa: E402

app = Celery("moving")
app.config_from_object("django.conf:settings", namespace="CELERY")
register(app)
