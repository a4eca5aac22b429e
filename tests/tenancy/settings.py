"""The bundled project with real roles, named in the environment as JSON; the tests' server does not flush to its disk."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, *os.environ.get("TEST_APPS", "").split()]
YOUTILITY_TASKS = {"allow_unsafe_database": True, **json.loads(os.environ.get("TEST_SETTINGS", "{}"))}
