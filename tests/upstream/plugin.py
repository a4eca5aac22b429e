"""A pytest plugin for procrastinate's own tests: our schema under them and, with UPSTREAM_WORKER=ours, our worker.

Its tests are never changed. What cannot hold by design is deselected by `deselected.txt`, one reason a line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest

OURS = os.environ.get("UPSTREAM_WORKER") == "ours"
BY_DESIGN = Path(__file__).with_name("deselected.txt")

if OURS:
    django.setup()  # as early as this, since importing our worker needs models


def by_design() -> dict[str, str]:
    """The tests that our worker cannot pass, by the end of their node id, with the reason."""
    lines = [line for line in BY_DESIGN.read_text().splitlines() if line and not line.startswith("#")]
    return {test: reason for test, _, reason in (line.partition("  ") for line in lines)}


def pytest_configure(config: pytest.Config) -> None:
    _use_our_schema()
    if OURS:
        _use_our_worker()


@pytest.fixture(autouse=OURS)
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    """Our worker's children are threads here, of no test that could ask for a database."""
    with django_db_blocker.unblock():
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not OURS:
        return
    known = by_design()
    kept, left_out = [], []
    for item in items:
        name = item.nodeid.partition("[")[0]
        (left_out if any(name.endswith(test) for test in known) else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def _use_our_schema() -> None:
    """Whoever asks for procrastinate's schema gets our migrations behind it."""
    from procrastinate.schema import SchemaManager

    stock: Callable[[], str] = SchemaManager.get_schema
    ours = Path(os.environ["UPSTREAM_SCHEMA"]).read_text(encoding="utf-8")
    SchemaManager.get_schema = staticmethod(lambda: f"{stock()}\n{ours}")  # type: ignore[method-assign]


def _use_our_worker() -> None:
    from procrastinate import App, exceptions, jobs
    from procrastinate.manager import JobManager

    from .in_place import OurWorker, status_in_history

    App._worker = lambda self, **options: OurWorker(self, **{**self.worker_defaults, **options})  # type: ignore[assignment,method-assign]
    stock: Callable[..., Any] = JobManager.get_job_status_async

    async def get_job_status_async(self: JobManager, job_id: int) -> jobs.Status:
        """An ended job is asked for where ours keeps it: in our history, first and last, since it may end meanwhile."""
        known = await status_in_history(self.connector, job_id)
        if known is not None:
            return known
        try:
            return jobs.Status(await stock(self, job_id))
        except exceptions.NoResult:
            known = await status_in_history(self.connector, job_id)
            if known is None:
                raise
            return known

    JobManager.get_job_status_async = get_job_status_async  # type: ignore[method-assign]
