"""An application's tasks, run by the workers' own statements in this process, or by real workers in theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.crew import Crew, Queue
from tests.celery_bridge.surface.app import tasks
from tests.integration.conftest import acme, other_tenant
from youtility_tasks.celery_bridge.config import conf

__all__ = ["acme", "other_tenant"]


@pytest.fixture
def app(db: None) -> Any:
    """The module of tasks; nothing was heard yet."""
    tasks.heard.clear()
    return tasks


@pytest.fixture
def eager() -> Iterator[None]:
    """`task_always_eager`."""
    conf.update(task_always_eager=True)
    yield
    conf.update(task_always_eager=False)


@pytest.fixture(scope="module")
def crew(cluster: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Real workers of three queues for the tests of a module."""
    name = cluster.copy(template)
    url = cluster.url(name)
    env = {**os.environ, "DATABASE_URL": url, "TEST_APPS": "tests.celery_bridge.surface.app"}
    made = Crew(Queue(url), env, tmp_path_factory.mktemp("crew"))
    made.start(queues=("maintenance", "email"), processes=1, threads=4)
    yield made
    made.close()
    cluster.drop(name)


@pytest.fixture
def at_work(crew: Crew, django_db_blocker: Any) -> Iterator[Crew]:
    """This process looks at the workers' database, and commits."""
    from django.db import connections

    from tests.conftest import point_django_at

    before = dict(connections["default"].settings_dict)
    with django_db_blocker.unblock():
        point_django_at(crew.queue.url)
        yield crew
        connections["default"].close()
        connections.databases["default"].update(
            {key: before[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
        )


def gate(crew: Crew, name: str) -> Path:
    return crew.gate(name)
