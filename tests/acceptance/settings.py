"""The bundled project with the misbehaving application instead of the catalogue, and settings from the environment as JSON."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

# Hundreds of workers are started with these, and the catalogue is a fifth of what they would import.
INSTALLED_APPS = [
    *(app for app in INSTALLED_APPS if not app.startswith("task_catalog")),
    "tests.acceptance.app",
    *os.environ.get("TEST_APPS", "").split(),
]
YOUTILITY_TASKS = {"allow_unsafe_database": True, **json.loads(os.environ.get("TEST_SETTINGS", "{}"))}
PROCRASTINATE_IMPORT_PATHS = ["tests.acceptance.app.imported"]

if os.environ.get("TEST_NORTH_URL"):
    from youtility_tasks.standalone.database import from_url
    from youtility_tasks.standalone.settings import DATABASES

    DATABASES = {**DATABASES, "north": from_url(os.environ["TEST_NORTH_URL"])}
    DATABASE_ROUTERS = ["youtility_tasks.routers.TenantRouter"]
    YOUTILITY_TASKS["tenant_databases"] = {"default": None, "north": [7]}
