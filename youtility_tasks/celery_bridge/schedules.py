"""Celery's schedules, its own objects: what a `beat_schedule` names, and `migrate_celery_beat` reads."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from youtility_tasks.errors import ExtraMissing

_NAMES = ("crontab", "schedule", "solar")


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if find_spec("celery") is None:
        raise ExtraMissing(
            "celery", "Celery", "Or declare it: `@task(schedule='30 2 * * *')`, or YOUTILITY_TASKS['schedules']."
        )
    return getattr(importlib.import_module("celery.schedules"), name)
