"""The bundled project with the misbehaving application instead of the catalogue, and settings from the environment as JSON."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

# Hundreds of workers are started with these, and the catalogue is a fifth of what they would import.
INSTALLED_APPS = [*(app for app in INSTALLED_APPS if not app.startswith("task_catalog")), "tests.acceptance.app"]
YOUTILITY_TASKS = {"allow_unsafe_database": True, **json.loads(os.environ.get("TEST_SETTINGS", "{}"))}
PROCRASTINATE_IMPORT_PATHS = ["tests.acceptance.app.imported"]
