"""Fixtures of pytest, there as soon as the package is installed; they do nothing until a test asks for one of them.

pytest loads this file in every project of its environment, so nothing of Django is imported before that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .clock import Clock


@pytest.fixture
def task_queue(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """An empty queue, and `youtility_tasks.testing` to look into it and to run it. Asks for the database, as pytest-django's `db`."""
    _need_django(request)
    if request.config.pluginmanager.has_plugin("django"):
        request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
    from django.db import connections

    from youtility_tasks import conf, testing

    testing.empty_queue()
    yield testing
    if not connections[
        conf.settings().database
    ].in_atomic_block:  # nothing is rolled back, and Django's flush knows no jobs
        testing.empty_queue()


@pytest.fixture
def inline_tasks(task_queue: ModuleType) -> Iterator[None]:
    """Each `enqueue` of the test runs the job at once, and its errors are raised; see `inline`."""
    with task_queue.inline():
        yield


@pytest.fixture
def task_clock(task_queue: ModuleType) -> Iterator[Clock]:
    """The queue's clock, which stands still until the test moves it; see `frozen`."""
    with task_queue.frozen() as clock:
        yield clock


def _need_django(request: pytest.FixtureRequest) -> None:
    from django.apps import apps
    from django.conf import settings

    if not settings.configured and not os.environ.get("DJANGO_SETTINGS_MODULE"):
        pytest.fail(
            f"The fixture {request.fixturename!r} needs Django: set DJANGO_SETTINGS_MODULE, or the option of that name in "
            "pytest's configuration with pytest-django.",
            pytrace=False,
        )
    if not apps.ready or not apps.is_installed("youtility_tasks"):
        pytest.fail(
            f"The fixture {request.fixturename!r} needs 'youtility_tasks' in INSTALLED_APPS, and django.setup() done "
            "(pytest-django does it).",
            pytrace=False,
        )
