"""A real Redis with Celery's programs for each module of the bridge's tests, on a database of the module's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.celery_bridge.programs import Programs, Redis
from tests.conftest import require_program


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis that keeps what it has acknowledged."""
    made = Redis(require_program("redis-server", package="redis-server"), tmp_path_factory.mktemp("redis"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def module_database(cluster: Any, template: str) -> Iterator[str]:
    """The URL of a database that the tests of a module share with the programs they start. Django's own connection leads elsewhere
    unless a test points it here."""
    name = cluster.copy(template)
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture(scope="module")
def programs(redis_server: Redis, module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """Starts Celery workers, Beat and commands: `programs.worker("tests.celery_bridge.app.celery_app")`."""
    folder: Path = tmp_path_factory.mktemp("programs")
    ours = os.environ.get(
        "DJANGO_SETTINGS_MODULE", ""
    )  # pytest has put its own there; a run inside a run has named one of the bridge's
    settings = ours if ours.startswith("tests.celery_bridge") else "tests.celery_bridge.settings"
    env = {
        **os.environ,
        "DATABASE_URL": module_database,
        "TEST_DIARY": str(folder / "diary"),
        "DJANGO_SETTINGS_MODULE": settings,
    }
    made = Programs(redis_server, env, folder)
    yield made
    made.close()
