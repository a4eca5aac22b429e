"""What a worker says of a statement that failed."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
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


def test_a_statement_counts_as_sent_once_the_connection_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection takes several answers; a lease that counted from before it would be half over on a slow way."""
    seen: dict[str, float] = {}

    class Connection:
        async def execute(self, *_: Any) -> SimpleNamespace:
            seen["executed"] = time.monotonic()
            return SimpleNamespace(description=None)

    async def open_one(self: Link) -> Connection:
        before = time.monotonic()
        while time.monotonic() <= before:
            await asyncio.sleep(0)
        seen["opened"] = time.monotonic()
        return Connection()

    monkeypatch.setattr(Link, "_open", open_one)
    link = Link("")

    asyncio.run(link.ask("database_clock"))

    assert seen["opened"] <= link.sent_at <= seen["executed"]
