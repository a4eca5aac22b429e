"""The bundled project at an instant that stands still, with a mail server and folders named in the environment."""

import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import TASK_CATALOG as _CATALOG

TASK_CATALOG = {
    **_CATALOG,
    "clock": "tests.benchmarks.volume.StandingClock",
    "mail_from": "desk@house.example",
    "company_name": "House",
    "scheduled_reports_folder": os.environ.get("VOLUME_FOLDER", "/nonexistent/scheduled"),
    "ondemand_reports_folder": os.environ.get("VOLUME_FOLDER", "/nonexistent/on_demand"),
}
