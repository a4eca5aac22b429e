"""Wagtail and, on Django 6, two packages for Django's own tasks, beside the bundled project."""

from pathlib import Path

import django

from youtility_tasks.standalone.home import folder
from youtility_tasks.standalone.settings import *  # noqa: F403
from youtility_tasks.standalone.settings import INSTALLED_APPS, TASKS, YOUTILITY_TASKS

ON_6 = django.VERSION >= (6, 0)
INSTALLED_APPS = [
    *INSTALLED_APPS,
    *(["maintenance_tasks", "tasks_monitor"] if ON_6 else []),
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.users",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "tests.upstream.djangos.site",
]
TASKS = {**TASKS, "late": {**TASKS["default"], "QUEUES": [], "OPTIONS": {"queues": {"default": "reports"}}}}
YOUTILITY_TASKS = {
    **YOUTILITY_TASKS,
    "shared_tables": [
        *("django_*", "auth_*"),
        *("wagtail*", "modelsearch_*", "taggit_*", "maintenance_tasks_*", "tasks_monitor_*", "site_*"),
    ],
}
MAINTENANCE_TASKS = {"MAX_RUNTIME": 0}  # a batch a job
WAGTAIL_SITE_NAME = "Site"
WAGTAILADMIN_BASE_URL = "http://localhost"
MEDIA_ROOT = str(Path(folder()) / "media")
SILENCED_SYSTEM_CHECKS = ["wagtailadmin.W001"]  # its style sheets are not collected; nobody looks at its pages
