"""The Celery application and the two tasks of the bench."""

from __future__ import annotations

from typing import Any

import celery
import django

from .. import speak

app = celery.Celery("bench")
app.config_from_object("django.conf:settings", namespace="CELERY")
django.setup()


@app.task(name="noop")  # type: ignore[untyped-decorator, unused-ignore]
def noop(*, a: int, b: str, c: list[Any]) -> None:
    """Nothing."""


@app.task(name="mark")  # type: ignore[untyped-decorator, unused-ignore]
def mark(*, path: str, sent: float) -> None:
    """Write down when this line ran."""
    speak.note(path, sent)
