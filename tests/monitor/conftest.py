"""The monitor before a database with two tenants' jobs; its screen as text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from textual.pilot import Pilot

from tests.cli.conftest import manage, say  # noqa: F401 - the verbs as a person calls them
from youtility_tasks import queues, registry, roster, tenants
from youtility_tasks.declaration import Task
from youtility_tasks.monitor.app import Monitor
from youtility_tasks.monitor.desk import Desk
from youtility_tasks.retry import Retry

HOSTILE = "[bold red]the window[/] [@click=app.quit]x[/] [/nope] \x1b[2Jgone\r\n\x00\u202eevil"
ACME, BETA = 7, 8


def polish(*, floor: int = 0) -> None:
    """Polish one floor."""


def shatter(*, words: str = "") -> None:
    raise ValueError(words or "[bold red]the window[/] [@click=app.quit]x[/] [/nope] \x1b[2Jgone")


@dataclass(frozen=True)
class Yard:
    """What the screen is about."""

    polish: Task
    shatter: Task

    def put(self, tenant_id: int, task: Task, **args: Any) -> int:
        with tenants.tenant(tenant_id):
            return int(task.enqueue(**args).id)


@pytest.fixture
def yard(transactional_db: None) -> Iterator[Yard]:
    made = Yard(
        registry.task(polish, queue_name=queues.EMAIL),
        registry.task(shatter, queue_name=queues.REPORTS, retry=Retry(1)),
    )
    roster.add(ACME, "Acme"), roster.add(BETA, "Beta")
    yield made
    for name in ("polish", "shatter"):
        registry.forget(name)


async def beside(do: Callable[[], Any]) -> Any:
    """Somebody else does it while the screen is shown; what it gives."""

    def run() -> Any:
        try:
            return do()
        finally:
            connection.close()

    return await asyncio.to_thread(run)


class Screen:
    """A running monitor, its keys and what it shows."""

    def __init__(self, app: Monitor, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def lines(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, see: Callable[[], Any], why: str = "") -> Any:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if seen := see():
                return seen
            await asyncio.sleep(0.01)
        raise AssertionError(f"not within 20 s: {why}\n{self.text}")

    async def shows(self, *words: str) -> None:
        await self.until(lambda: all(word in self.text for word in words), f"shows {words}")

    async def looked(self) -> None:
        """One more look was answered."""
        before = self.app.looks
        self.app.action_again()
        await self.until(lambda: self.app.looks > before, "a look")


Play = Callable[..., None]


@pytest.fixture
def play() -> Play:
    """`play(story, tenant_id=7, size=(80, 24))`: a story is an async function that is given the screen."""

    def run(
        story: Callable[[Screen], Awaitable[None]],
        *,
        tenant_id: int | None = None,
        size: tuple[int, int] = (80, 24),
        interval_s: float = 3_600,
    ) -> None:
        async def go() -> None:
            with Desk(tenant_id) as desk:
                app = Monitor(desk, interval_s=interval_s)
                async with app.run_test(size=size, notifications=True) as pilot:
                    screen = Screen(app, pilot)
                    await screen.until(lambda: app.looks, "the first look")
                    await story(screen)

        asyncio.run(go())

    return run
