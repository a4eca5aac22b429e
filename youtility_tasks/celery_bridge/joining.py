"""`register(app)`: our tasks in a Celery application, from the moment on at which Django and the modules with tasks are loaded.

`project/celery.py` is imported by `project/__init__.py`, before there is a setting, so that this module loads nothing that wants one.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterable
from typing import Any

from django.apps import apps

from . import extra

logger = logging.getLogger(__name__)
_joined: list[tuple[Any, list[str] | None]] = []
_seen: list[int] = [0]
"""How many tasks were declared when they were given last."""


def register(app: Any, names: Iterable[str] | None = None) -> list[str]:
    """Give a Celery application our tasks (all, or those named): its workers run what is still sent to them. The names that are new to it;
    none yet where Django is not ready: they follow before a worker of Celery's begins, or a call is sent.

    A task that the application has by that name stays as it is, and its runs are noted all the same. Raises ExtraMissing, UnknownTask.
    """
    extra.must_be_there()
    from celery import signals

    _joined.append((app, None if names is None else list(names)))
    _seen[0] = 0
    signals.import_modules.connect(_loaded, sender=app, weak=False, dispatch_uid="youtility_tasks.joining")
    return settle() if apps.ready else []


def load_all() -> None:
    """Import what a worker of these applications imports (`include`, `imports`, modules of other names), so that whoever means all tasks knows them."""
    before = os.environ.get("CELERY_SKIP_CHECKS")
    os.environ["CELERY_SKIP_CHECKS"] = "1"  # Django's own, which this process has made
    try:
        for app, _ in _joined:
            try:
                app.loader.import_default_modules()
            except Exception:  # a module that cannot be loaded must not be in the way of a rollback
                logger.warning("not all modules of the Celery application could be loaded", exc_info=True)
    finally:
        if before is None:
            del os.environ["CELERY_SKIP_CHECKS"]
        else:
            os.environ["CELERY_SKIP_CHECKS"] = before


def settle() -> list[str]:
    """Give each application that was registered what has been declared since; the names that are new to one."""
    if not _joined or not apps.ready:
        return []
    declared = len(importlib.import_module("youtility_tasks.registry").registered())
    if declared == _seen[0]:
        return []
    _seen[0] = declared
    give = importlib.import_module(f"{__package__}.in_celery").give
    return [name for app, names in _joined for name in give(app, names)]


def _loaded(**_: Any) -> None:
    settle()
