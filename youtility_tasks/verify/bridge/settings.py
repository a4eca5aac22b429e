"""Django settings of a run's processes: the bundled project with all its tasks, in the middle of its move from Celery."""

import os
from pathlib import Path
from typing import Any

from youtility_tasks import queues
from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS, TASK_CATALOG, YOUTILITY_TASKS

_FOLDER = Path(os.environ.get("YOUTILITY_VERIFY_FOLDER", "."))
VISIBILITY_S = 8
"""What a Celery worker that is gone had fetched is delivered again after so long."""

INSTALLED_APPS = [*INSTALLED_APPS, "django_celery_beat", "django_celery_results", "youtility_tasks.verify.bridge"]
MEDIA_ROOT = str(_FOLDER / "media")
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
YOUTILITY_TASKS: dict[str, Any] = {  # type: ignore[no-redef]
    **YOUTILITY_TASKS,
    "allow_unsafe_database": True,
    # The product's own waits, shortened; their order is kept.
    "heartbeat_interval_s": 0.5,
    "lease_s": 6.0,
    "rescue_interval_s": 0.5,
    "poll_interval_s": 1.0,
    "shutdown_grace_s": 8.0,
    "retry_delay_factor": 0.05,
    "queues": {
        name: {"processes": 1, "threads": 2}
        for name in (queues.HIGH_PRIORITY, queues.EMAIL, queues.REPORTS, queues.MAINTENANCE)
    },
    "celery_bridge_default": "celery",
    "celery_app": "youtility_tasks.verify.bridge.celery_app.app",
}
TASK_CATALOG: dict[str, object] = {  # type: ignore[no-redef]
    **TASK_CATALOG,
    "ondemand_reports_folder": str(_FOLDER / "ondemand"),
    "scheduled_reports_folder": str(_FOLDER / "scheduled"),
}

CELERY_BROKER_URL = os.environ.get("YOUTILITY_VERIFY_REDIS", "redis://127.0.0.1:1/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": VISIBILITY_S}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
