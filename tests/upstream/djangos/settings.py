"""The bundled project, with Django's own tests of tasks as one of its applications."""

from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tasks"]
TEST_RUNNER = "tests.upstream.djangos.runner.Runner"
