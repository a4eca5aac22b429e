"""The house with an application that calls everything otherwise."""

from task_catalog.conf import FACILITY_MODELS
from tests.catalog.adoption.estates.names import NAMES
from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS, TASK_CATALOG

INSTALLED_APPS = [*INSTALLED_APPS, "tests.catalog.adoption.estates"]
TASK_CATALOG = {
    **TASK_CATALOG,
    "models": {
        logical: f"estates.{NAMES[path.partition('.')[2]]}"
        for logical, path in FACILITY_MODELS.items()
        if path.startswith("facility.")
    },
}
