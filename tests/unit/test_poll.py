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


class Script:
    """Stands for a database in which nothing waits, whose next job is due after `due_s`; polls get these claims."""

    def __init__(self, due_s: float | None, claims: list[tuple[Any, ...]]) -> None:
        self.due_s, self.claims, self.said = due_s, claims, list[str]()
        self.turn = asyncio.Lock()

    async def ask(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        self.said.append(name)
        if name == "poll":
            claims, self.claims = self.claims, []
            return [(*row, self.due_s, False) for row in (*claims, NO_JOB)]
        return {"pump": [NO_JOB], "next_due": [(self.due_s, False)]}.get(name, [])


def said(*, s: float, due_s: float | None = None, claims: list[tuple[Any, ...]] | None = None) -> list[str]:
    """What a worker asks for within `s` seconds that looks every 0.1 s."""

    async def watch() -> list[str]:
        with mock.patch.object(module, "Children") as children:
            children.return_value.stuck.return_value = 0
            shape = QueueSettings(processes=1, threads=1)
            worker = Worker("email", shape, cast(Matron, None), drain=False, token="", dead=[])
        script = Script(due_s, claims or [])
        worker.link = worker.lease._link = cast(Any, script)
        worker.lease.worker_id = 1
        worker._confirm = lambda sent, accepted, resent: worker.holdings.drop_all()  # type: ignore[method-assign]
        with pytest.raises(TimeoutError), mock.patch.object(module, "settings") as settings:
            settings.return_value.poll_interval_s = 0.1
            async with asyncio.timeout(s):
                await worker._pump_loop()
        return script.said

    return asyncio.run(watch())


def test_an_idle_worker_asks_once_for_each_look() -> None:
    assert said(s=0.35) == ["pump", "next_due", "poll", "poll", "poll"]


def test_a_look_heeds_when_the_next_job_is_due() -> None:
    asked = said(s=0.35, due_s=0.02)
    assert asked[:2] == ["pump", "next_due"]
    assert asked.count("poll") >= 6, asked


def test_a_look_that_finds_a_job_is_followed_by_all_questions() -> None:
    asked = said(s=0.35, claims=[JOB])
    assert asked[:5] == ["pump", "next_due", "poll", "pump", "next_due"], asked
