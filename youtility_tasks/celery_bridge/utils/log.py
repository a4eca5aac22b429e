"""Celery's name for a logger: `from celery.utils.log import get_task_logger`."""

from __future__ import annotations

from youtility_tasks.celery_bridge.app import get_task_logger

__all__ = ["get_task_logger"]
