"""What a worker's processes have loaded, and how, once the first job runs: each start pays for it, and each child holds it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import REPOSITORY, Crew

LOADED = "youtility_tasks.workers.run"
NOT_LOADED = (
    "psutil",
    "rich",
    "textual",
    "prometheus_client",
    "youtility_tasks.console.overview",
    "youtility_tasks.exporter.view",
    "youtility_tasks.management.verbs",
    "youtility_tasks.metrics.reading",
    "youtility_tasks.operations",
    "youtility_tasks.schedules.editing",
    "youtility_tasks.tenancy.check",
)
"""For people, for acts of people, or for roles, which are not set here. (`admin.py` of each application is loaded by Django itself.)"""

COLLECTS_NO_MORE = Mutant("youtility_tasks.management.loaded", "is_all", "gc.enable()", "pass")
COLLECTS_FIRST = Mutant("youtility_tasks.workers.family", "freeze", "gc.freeze()", "gc.collect(); gc.freeze()")


def first_job(crew: Crew, **how: Any) -> dict[str, Any]:
    crew.env = {
        **crew.env,
        "PYTHONHASHSEED": "0",
    }  # a new interpreter: the process that `tests.warm` forks has loaded more
    crew.start(**how)
    found: dict[str, Any] = crew.queue.ending(crew.queue.put("tells_loaded", names=[LOADED, *NOT_LOADED]))["result"]
    return found


def test_a_child_has_loaded_nothing_that_only_people_need(crew: Crew) -> None:
    assert first_job(crew)["loaded"] == [LOADED]


def collects_since_it_serves(told: dict[str, Any]) -> None:
    young, _, old = told["collections"]
    assert told["is_collecting"] and told["frozen_count"] > 50_000
    assert young < 100 and old == 0  # 200 and more, and at least one, if what is loaded is looked through


def test_garbage_is_collected_from_when_the_worker_serves_on(crew: Crew) -> None:
    collects_since_it_serves(first_job(crew))


@pytest.mark.parametrize(
    ("command", "collects"),
    [("run_postgresql_worker", False), ("manage_task_queue", False), ("runserver", True), ("", True)],
)
def test_only_a_process_that_is_a_worker_from_its_start_collects_nothing_while_it_loads(
    command: str, collects: bool
) -> None:
    program = "import gc, youtility_tasks; print(gc.isenabled())"

    done = subprocess.run([sys.executable, "-c", program, command], cwd=REPOSITORY, check=True, capture_output=True)

    assert done.stdout.decode().strip() == str(collects)


@pytest.mark.parametrize("mutant", [COLLECTS_NO_MORE, COLLECTS_FIRST])
def test_that_would_be_seen_otherwise(crew: Crew, mutant: Mutant) -> None:
    told = first_job(crew, mutant=mutant)

    with pytest.raises(AssertionError):
        collects_since_it_serves(told)
