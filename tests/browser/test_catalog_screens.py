"""The catalog in a browser, and a job that is run from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tests.browser.sight import Screen
from youtility_tasks import Secret, Task, tenant
from youtility_tasks.models import Job
from youtility_tasks.testing import run_jobs


def visit_site(
    *, site: int, note: str = "none", urgent: bool = False, how: Literal["car", "foot"] = "foot", rates: list[float] | None = None,
    token: Secret[str] | None = None,
) -> None:  # fmt: skip
    """Visit a site, and write down what was seen there. </script><img src=x onerror=alert(1)>

    Nobody is sent twice: a second attempt finds the visit of the first.
    """


@pytest.fixture
def site_task(declare: Callable[..., Task]) -> Task:
    return declare(
        visit_site, name="visit_site", queue_name="high_priority", timeout_s=90, priority=2, schedule="0 6 * * *"
    )


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_catalog_looks_well(
    screen: Callable[..., Screen],
    shots: Path,
    acme: int,
    site_task: Task,
    add_task: Task,
    fail_task: Task,
    width: int,
    dark: bool,
) -> None:
    with tenant(acme):
        for number in range(5):
            add_task.enqueue(number=number)
        fail_task.enqueue(number=3)
        run_jobs()
    operator = screen("operator", "catalog/", width=width, dark=dark)
    for name, path in {
        "catalog": "catalog/",
        "catalog-task": "catalog/visit_site/",
        "run-one": "acts/run-task/?task=visit_site",
    }.items():
        operator.go(path)
        operator.check_accessible()
        operator.check_fits()
        operator.shoot(shots, f"{name}-{width}{'-dark' if dark else ''}")


def test_one_is_run_from_its_page(screen: Callable[..., Screen], acme: int, site_task: Task) -> None:
    operator = screen("operator", "catalog/visit_site/")
    operator.page.get_by_role("link", name="Run one").click()
    operator.page.get_by_label("site", exact=True).fill("7")
    operator.page.get_by_label("rates").fill("[1,")
    operator.page.get_by_label("token").fill("canary")
    operator.page.get_by_role("button", name="Run it").click()
    operator.page.get_by_role("alert").get_by_text("valid JSON").wait_for()
    assert "canary" not in operator.page.content()
    operator.page.get_by_label("rates").fill("[1.5]")
    operator.page.get_by_label("Reason").fill("asked by phone")
    operator.page.get_by_role("button", name="Run it").click()
    operator.page.get_by_text("was made.").first.wait_for()
    assert Job.objects.get().args == {"site": 7, "rates": [1.5]}
