"""The run's tasks as a Django application; only the run's own processes install it."""

from __future__ import annotations

from django.apps import AppConfig


class VerifyConfig(AppConfig):
    name = "youtility_tasks.verify"
    label = "youtility_verify"
