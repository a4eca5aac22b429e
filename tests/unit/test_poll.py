"""A worker that looks only because time has passed asks one question; one that was woken, two: its first answer is urgent."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from unittest import mock

import pytest

from youtility_tasks.conf import QueueSettings
from youtility_tasks.workers import worker as module
from youtility_tasks.workers.nursery import Matron
from youtility_tasks.workers.worker import Worker

NO_JOB: tuple[Any, ...] = ([], False, None)
JOB = (None, None, None, 1, "nobody declares it", "{}", 0, 7, 1, 0, False, None)


class Enough(Exception):
    """It has polled as often as it should."""


class Script:
    """Stands for a database in which nothing waits, whose next job is due after `due_s`; the first poll gets these claims."""

    def __init__(self, due_s: float | None, claims: list[tuple[Any, ...]], polls: int) -> None:
        self.due_s, self.claims, self.polls, self.said = due_s, claims, polls, list[str]()
        self.turn = asyncio.Lock()
        self.opened = 1

    async def ask(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        self.said.append(name)
        if name == "poll":
            self.polls -= 1
            if self.polls < 0:
                self.said.pop()
                raise Enough
            claims, self.claims = self.claims, []
            return [(*row, self.due_s, False) for row in (*claims, NO_JOB)]
        return {"pump": [NO_JOB], "pump_lone": [NO_JOB], "next_due": [(self.due_s, False)]}.get(name, [])


def said(
    *, polls: int, due_s: float | None = None, poll_interval_s: float, claims: list[tuple[Any, ...]] | None = None
) -> list[str]:
    """What a worker asks for until it has polled so often."""

    async def watch() -> list[str]:
        with mock.patch.object(module, "Children") as children:
            children.return_value.stuck.return_value = 0
            shape = QueueSettings(processes=1, threads=1)
            worker = Worker("email", shape, cast(Matron, None), drain=False, token="", dead=[])
        script = Script(due_s, claims or [], polls)
        worker.link = worker.lease._link = cast(Any, script)
        worker.lease.worker_id = 1
        worker._confirm = lambda sent, accepted, resent: worker.holdings.drop_all()  # type: ignore[method-assign]
        with mock.patch.object(module, "settings") as settings, pytest.raises(Enough):
            settings.return_value.poll_interval_s = poll_interval_s
            async with asyncio.timeout(20):
                await worker._pump_loop()
        return script.said

    return asyncio.run(watch())


def test_an_idle_worker_asks_once_for_each_look() -> None:
    assert said(polls=3, poll_interval_s=0.02) == ["pump_lone", "offer", "next_due", "poll", "poll", "poll"]


def test_a_look_heeds_when_the_next_job_is_due() -> None:
    asked = said(polls=3, due_s=0.02, poll_interval_s=60)
    assert asked == ["pump_lone", "offer", "next_due", "poll", "poll", "poll"]


def test_a_look_that_finds_a_job_is_followed_by_all_questions() -> None:
    asked = said(polls=2, claims=[JOB], poll_interval_s=0.02)
    assert asked == ["pump_lone", "offer", "next_due", "poll", "pump", "next_due", "poll"]
