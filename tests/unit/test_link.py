"""What a worker says of a statement that failed."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from youtility_tasks.workers.link import Link, LinkDown


def test_a_failure_is_told_without_the_row_that_the_server_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of the history is made while its row is written: the detail has the job's arguments and the task's error."""

    async def fail(self: Link, name: str, parameters: dict[str, Any]) -> None:
        raise psycopg.errors.CheckViolation(
            'violates partition constraint\nDETAIL:  Failing row contains (7, {"name": "Ann"}).'
        )

    monkeypatch.setattr(Link, "_ask", fail)

    with pytest.raises(LinkDown) as refused:
        asyncio.run(Link("").ask("pump"))

    assert str(refused.value) == "pump: CheckViolation: violates partition constraint"
