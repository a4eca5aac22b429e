"""Worker processes for a test of its own, or shared by the tests of a module that leave them as they found them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.crew import Crew, Queue


@pytest.fixture
def crew(fresh_database: Any, tmp_path: Path) -> Iterator[Crew]:
    """A database of this test's own; no process runs yet."""
    made = Crew(Queue(fresh_database.url), fresh_database.env, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(cluster: Any, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """One supervisor with one worker, for tests that only put jobs and look at their end."""
    name = cluster.copy(template)
    url = cluster.url(name)
    made = Crew(Queue(url), {**os.environ, "DATABASE_URL": url}, tmp_path_factory.mktemp("crew"))
    made.queue.rows(
        "INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES (7, 'Acme', true, 1, now())"
    )
    made.start()
    yield made
    made.close()
    cluster.drop(name)
