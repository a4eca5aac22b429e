"""The bundled project with pages that enqueue, lines of JSON, and settings from the environment as JSON."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS, LOGGING

INSTALLED_APPS = [*INSTALLED_APPS, "tests.otel.app"]
ROOT_URLCONF = "tests.otel.app.urls"
YOUTILITY_TASKS = {"allow_unsafe_database": True, **json.loads(os.environ.get("TEST_SETTINGS", "{}"))}
LOGGING = {**LOGGING, "formatters": {"line": {"()": "youtility_tasks.logs.JsonLines"}}}
