"""Django settings of a run's processes: the bundled project with the run's tasks, and no company's."""

import json
import os
from typing import Any

from youtility_tasks import queues
from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

QUEUES = (queues.HIGH_PRIORITY, queues.MAINTENANCE)

INSTALLED_APPS = [app for app in INSTALLED_APPS if not app.startswith("task_catalog")] + ["youtility_tasks.verify"]
YOUTILITY_TASKS: dict[str, Any] = {  # type: ignore[no-redef]
    "allow_unsafe_database": True,  # the servers of a run have one role, and lose what they hold on purpose
    "queues": {name: {"processes": 2, "threads": 2} for name in QUEUES},
    **json.loads(os.environ.get("YOUTILITY_VERIFY_SETTINGS", "{}")),
}
TASKS = {"default": {"BACKEND": "youtility_tasks.backends.ProcrastinateBackend", "QUEUES": list(QUEUES)}}
