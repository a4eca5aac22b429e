"""The house with the labels, models and tables of the real application."""

from task_catalog.conf import FACILITY_MODELS
from tests.catalog.adoption.real import LABELS, OF_LABEL
from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS, TASK_CATALOG

INSTALLED_APPS = [*INSTALLED_APPS, *(f"tests.catalog.adoption.youtility3.{label}" for label in OF_LABEL)]
TASK_CATALOG = {
    **TASK_CATALOG,
    "models": {
        logical: LABELS[path.partition(".")[2]]
        for logical, path in FACILITY_MODELS.items()
        if path.startswith("facility.")
    },
}
SILENCED_SYSTEM_CHECKS = ["models.E028"]  # two models on one table: the facility's stand for the application's
