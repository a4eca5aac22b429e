"""The bundled project with real roles, a broker, a bucket and media, all named in the environment as JSON."""

import json
import os

from youtility_tasks.standalone.settings import *  # noqa: F403

_GIVEN = json.loads(os.environ["TEST_SETTINGS"])
YOUTILITY_TASKS = {"allow_unsafe_database": True, **_GIVEN["tasks"]}
TASK_CATALOG = _GIVEN["catalog"]
MEDIA_ROOT = _GIVEN["media"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "bucket": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": _GIVEN["bucket"]},
    },
}
