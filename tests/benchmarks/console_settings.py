"""The bundled project as it is served, on a server that does not flush to its disk."""

import os

os.environ.setdefault("LOG_LEVEL", "ERROR")

from youtility_tasks.standalone.settings import *  # noqa: F403

ALLOWED_HOSTS = ["testserver"]
YOUTILITY_TASKS = {"allow_unsafe_database": True}
