"""The bench's own project; the environment says whether each part connects as a user of its own."""

import json
import os

from youtility_tasks.bench.ours.settings import *  # noqa: F403
from youtility_tasks.bench.ours.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.benchmarks.two_houses"]
YOUTILITY_TASKS = json.loads(os.environ["TWO_HOUSES_SETTINGS"])
