"""The Django settings of the day's workers: the bundled project's, with the day's folder and broker for the outside world."""

import os
from pathlib import Path

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import TASK_CATALOG as _BUNDLED
from youtility_tasks.standalone.settings import YOUTILITY_TASKS as _QUEUE

from .stage_settings import BROKER_PORT, FOLDER, catalog, overrides

globals().update(overrides(Path(os.environ[FOLDER]), int(os.environ[BROKER_PORT])))
TASK_CATALOG = {**_BUNDLED, **catalog(Path(os.environ[FOLDER]), int(os.environ[BROKER_PORT]))}
YOUTILITY_TASKS = {**_QUEUE, "run_schedules": False}  # the player puts the day's own instants on the queue
