"""The bundled project with the misbehaving application, and settings from the environment as JSON."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.acceptance.app", *os.environ.get("TEST_APPS", "").split()]
YOUTILITY_TASKS = {"allow_unsafe_database": True, **json.loads(os.environ.get("TEST_SETTINGS", "{}"))}
PROCRASTINATE_IMPORT_PATHS = ["tests.acceptance.app.imported"]
