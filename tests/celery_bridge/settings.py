"""The bundled project with a small application that runs Celery; its broker and results are named by the environment."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.celery_bridge.app"]
YOUTILITY_TASKS = {"allow_unsafe_database": True, **json.loads(os.environ.get("TEST_SETTINGS", "{}"))}

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER", "redis://127.0.0.1:1/0")
CELERY_RESULT_BACKEND = os.environ.get("CELERY_RESULTS", "redis://127.0.0.1:1/1")
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_RESULT_EXPIRES = 3600
