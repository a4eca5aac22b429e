"""Celery's name for what is in `results` and `groups`: `from celery.result import AsyncResult`."""

from __future__ import annotations

from .groups import GroupResult, ResultSet
from .results import AsyncResult, EagerResult, allow_join_result

__all__ = ["AsyncResult", "EagerResult", "GroupResult", "ResultSet", "allow_join_result"]
