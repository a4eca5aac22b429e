"""The two tasks of the bench."""

from __future__ import annotations

from typing import Any

from procrastinate.contrib.django import app

from .. import speak


@app.task(name="noop", queue="bench")
async def noop(*, a: int, b: str, c: list[Any]) -> None:
    """Nothing."""


@app.task(name="mark", queue="bench")
async def mark(*, path: str, sent: float) -> None:
    """Write down when this line ran."""
    speak.note(path, sent)
