"""The Django settings of the peer."""

import os

from ..django_peer import APPLICATIONS, database

SECRET_KEY = "bench"  # noqa: S105 - no page is served
USE_TZ = True
DATABASES = database()
INSTALLED_APPS = [*APPLICATIONS, "django_celery_results"]

CELERY_BROKER_URL = os.environ["BENCH_REDIS"]
CELERY_RESULT_BACKEND = "django-db"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_DB_REUSE_MAX = 1_000_000
