"""A real browser before real pages; whatever a page says to its console, or its policy forbids, fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, sync_playwright

from tests.browser.sight import Screen
from tests.conftest import require_program
from tests.somebody import ACME, OTHER, somebody
from youtility_tasks import Retry, Task, roster

NOT_WANTED = (
    # Parts of the browser's own window, which nobody looks at here: each of them is a page of its own for each window.
    *("InitialWebUI", "PreloadTopChromeWebUI", "WebUILocationBar", "WebUIOmniboxAimPopup", "WebUIOmniboxPopup"),
    *("WebUIReloadButton", "WebUIToolbar"),
    # What the driver switches off, too; of two such lists the last one counts.
    *("AvoidCorsURLLoaderRestartOnRedirect", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose"),
    *("HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying"),
    *("OptimizationHints", "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning"),
)
"""Of Chromium's features."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file. Its driver's loop runs as long as it lives, and Django's connections, and whoever begins a loop of
    his own, behave otherwise beside one: it must not outlive the file into another room's tests in this process."""
    program = require_program("chromium", package="chromium")
    was = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # the browser's driver keeps a loop in this thread
    with sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", f"--disable-features={','.join(NOT_WANTED)}"]
        )
        yield found
        found.close()
    if was is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def screen(browser: Browser, live_server: Any, person: Callable[[str], User]) -> Iterator[Callable[..., Screen]]:
    """`screen("operator", "jobs/")`: that person's browser, on that page."""
    opened: list[Screen] = []

    def look(
        kind: str, path: str = "", *, width: int = 1280, height: int = 900, dark: bool = False, zone: str = "UTC"
    ) -> Screen:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", locale="en-GB",
            timezone_id=zone, reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(15_000)
        made = Screen(context.new_page(), live_server.url)
        opened.append(made)
        if kind != "anonymous":
            made.sign_in(person(kind))
        made.go(path)
        return made

    yield look
    for each in opened:
        each.page.context.close()
    for each in opened:
        assert each.complaints == []


@pytest.fixture
def acme(transactional_db: None) -> int:
    return roster.add(ACME, "Acme Facilities").pk


@pytest.fixture
def other_tenant(transactional_db: None) -> int:
    return roster.add(OTHER, "Other").pk


@pytest.fixture
def person(acme: int, other_tenant: int) -> Callable[[str], User]:
    """`person("operator")`: see `somebody`."""
    return somebody


def add(*, number: int = 0) -> dict[str, int]:
    """Add one to a number."""
    return {"sum": number + 1}


def fail(*, number: int = 0) -> None:
    """Fail, always."""
    raise ValueError(f"no {number}")


@pytest.fixture
def add_task(declare: Callable[..., Task]) -> Task:
    return declare(add, name="add", queue_name="maintenance", retry=Retry(2))


@pytest.fixture
def fail_task(declare: Callable[..., Task]) -> Task:
    return declare(fail, name="fail", queue_name="email", retry=Retry(1))


@pytest.fixture
def shots() -> Path:
    """Where pictures of pages go: `TASKS_SHOTS=folder make test` keeps them."""
    folder = Path(os.environ.get("TASKS_SHOTS", Path(__file__).parents[2] / ".pytest_cache" / "shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
