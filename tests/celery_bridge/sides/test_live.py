"""A real Celery worker that runs our tasks, and the move under it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.exceptions import Ignore
from django.utils import timezone
from procrastinate.contrib.django import app as procrastinate_app

from tests.celery_bridge.app import tasks as small
from tests.celery_bridge.programs import Program, Programs, until
from youtility_tasks import Task, registry, tenant
from youtility_tasks.celery_bridge import broker, claims, in_celery, moving, parity, register, routes
from youtility_tasks.models import BridgeCall, BridgeRun, Job, TaskEffect
from youtility_tasks.testing import run_jobs

for known in (small.books, small.stumbles, small.counts, small.bound):  # other files declare tasks of these names
    registry.forget(known.name)
    procrastinate_app.tasks.pop(known.name, None)

APP = "tests.celery_bridge.app.celery_app"
WORKER: dict[str, Program] = {}


@pytest.fixture
def diary(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What both sides have written since the test began; ours runs in this process."""
    path = Path(programs.env["TEST_DIARY"])
    path.unlink(missing_ok=True)
    monkeypatch.setenv("TEST_DIARY", str(path))

    def read(**match: Any) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [each for each in lines if all(each.get(key) == value for key, value in match.items())]

    yield read


@pytest.fixture
def tasks(declare: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Task, Task]:
    """The small application's own tasks, known here for the length of a test."""
    for each in (small.books, small.stumbles, small.counts, small.bound.house):
        monkeypatch.setitem(registry._registry, each.name, each)
    return small.books, small.stumbles


@pytest.fixture
def worker(programs: Programs, celery_app: Celery, database_url: str) -> Program:
    """One Celery worker for the module, on the database of this process."""
    if "it" not in WORKER:
        WORKER["it"] = programs.worker(APP, pool="prefork", processes=2, DATABASE_URL=database_url)
    return WORKER["it"]


def runs(**match: Any) -> list[BridgeRun]:
    return list(BridgeRun.objects.filter(side="celery", **match).order_by("pk"))


def test_celerys_worker_runs_our_tasks_in_their_tenant_with_their_retries(
    worker: Program, tasks: tuple[Task, Task], diary: Any, acme: int
) -> None:
    books, stumbles = tasks
    routes.change([books.name, stumbles.name], "celery")
    with tenant(acme):
        booked = books.delay(1)
        tried = stumbles.delay(number=2)

    assert (booked.get(timeout=20), tried.get(timeout=20)) == ({"number": 1}, 3)
    assert diary(event="booked") == [{"event": "booked", "number": 1, "side": "celery", "tenant": acme}]
    assert [each["attempt"] for each in diary(event="ran", number=2)] == [3]
    effect = TaskEffect.objects.get(key="bridge:1")
    assert (effect.status, effect.tenant_id, effect.job_id is not None and effect.job_id < 0) == ("done", acme, True)
    until(lambda: len(runs()) == 4, why="each run is noted")
    assert [(each.attempt, each.outcome) for each in runs(task_name=stumbles.name)] == [
        (1, "retry"),
        (2, "retry"),
        (3, "succeeded"),
    ]
    (one,) = runs(task_name=books.name)
    assert (one.celery_id, one.tenant_id, one.result) == (booked.id, acme, {"number": 1})
    assert one.wait_ms is not None and one.run_ms is not None and one.run_ms > 0
    assert runs(attempt=1, task_name=stumbles.name)[0].error_class == "builtins.RuntimeError"


def test_what_is_written_for_celery_goes_on_in_its_workers_and_its_result_is_found(
    worker: Program, tasks: tuple[Task, Task], diary: Any, acme: int
) -> None:
    routes.change([small.bound.name], "celery")
    with tenant(acme):
        there = small.bound.delay(1)
        assert there.get(timeout=20) == {"number": 1, "retries": 2, "id": there.id}
        late = small.bound.apply_async([3], countdown=2)
        assert late.state == "PENDING"
        late.revoke()
        until(lambda: late.state == "REVOKED", why="Celery's worker has heard of it")
    routes.change([small.bound.name], "postgres")
    with tenant(acme):
        here = small.bound.delay(2)
        run_jobs()
        assert here.get(timeout=20) == {"number": 2, "retries": 2, "id": here.id}
    assert [(each["side"], each["tenant"]) for each in diary(event="ran")] == [("celery", acme), ("ours", acme)]


def test_shadows_return_what_celery_returned_and_book_nothing(
    worker: Program, tasks: tuple[Task, Task], diary: Any, acme: int
) -> None:
    books, stumbles = tasks
    names = [books.name, small.counts.name, stumbles.name]
    routes.change(names, "shadow")
    with tenant(acme):
        for n in range(5):
            books.delay(number=100 + n)
            small.counts.delay(number=100 + n)
        stumbles.delay(number=1)
    until(lambda: len(runs(outcome="succeeded")) == 11, why="Celery has run them")

    assert run_jobs() == 11

    assert Counter(each["side"] for each in diary(event="booked")) == {"celery": 5}
    assert TaskEffect.objects.count() == 10
    found = {each.task_name: each for each in parity.reports(names, least=1)}
    # The diary is a file of the application's own: a shadow may not write it, and says so.
    whole = found[books.name].pairs
    assert (whole.whole, whole.compared, found[books.name].is_safe) == (5, 0, False)
    assert {each.kept_back for each in BridgeRun.objects.filter(side="shadow", task_name=books.name)} == {"a file"}
    for name, n in ((small.counts.name, 5), (stumbles.name, 1)):
        assert (found[name].pairs.compared, found[name].failing) == (n, []), found[name].criteria


def test_what_a_worker_holds_until_it_is_due_is_moved_and_not_run_twice(
    worker: Program, tasks: tuple[Task, Task], diary: Any, acme: int, celery_app: Celery
) -> None:
    books, _ = tasks
    register(celery_app, [books.name])
    routes.change([books.name], "celery")
    due = timezone.now() + timedelta(seconds=6)
    with tenant(acme):
        ids = [books.apply_async((), {"number": 200 + n}, eta=due).id for n in range(3)]

    def are_held() -> bool:
        with broker.opened() as seen:
            return len(seen.held()) == 3

    until(are_held, why="the worker holds them")
    routes.change([books.name], "postgres")

    done = moving.to_postgres([books.name])

    assert done.moved == {books.name: 3}
    assert set(BridgeCall.objects.filter(side="postgres").values_list("celery_id", flat=True)) == set(ids)
    assert not are_held()
    until(
        lambda: WORKER["it"].said(f"moved meanwhile, not run in Celery id={ids[0]}"), why="the worker meets its fence"
    )
    until(lambda: timezone.now() > due)
    until(lambda: run_jobs() >= 0 and len(diary(event="booked")) == 3)
    time.sleep(0.3)
    assert Counter((each["number"], each["side"]) for each in diary(event="ran")) == {
        (200 + n, "ours"): 1 for n in range(3)
    }


def test_calls_are_run_once_while_they_are_moved_under_a_working_worker_and_back(
    worker: Program, tasks: tuple[Task, Task], diary: Any, acme: int, other_tenant: int
) -> None:
    books, _ = tasks
    numbers = range(300, 420)
    sides = ["celery", "postgres"]
    for n in numbers:
        if n % 20 == 0:
            routes.change([books.name], sides[(n // 20) % 2])
        with tenant((acme, other_tenant)[n % 2]):
            books.delay(number=n)
        if n % 30 == 0:
            moving.to_postgres([books.name])
        elif n % 30 == 15:
            moving.to_celery([books.name])
        if n % 10 == 0:
            run_jobs(limit=2)
    routes.change([books.name], "postgres")
    moving.to_postgres([books.name])
    run_jobs()

    until(lambda: len(diary(event="ran")) >= len(numbers), within_s=30, why="all have run")
    assert moving.wait_until_drained([books.name], of_celery=True, timeout_s=10) == {}
    assert Counter(each["number"] for each in diary(event="ran")) == dict.fromkeys(numbers, 1)
    assert Counter(each["number"] for each in diary(event="booked")) == dict.fromkeys(numbers, 1)
    assert {each["side"] for each in diary(event="ran")} == {"celery", "ours"}
    assert not Job.objects.exists()


def test_a_worker_without_a_fence_would_run_what_was_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant of the fence, without a worker: a held message whose job is here is let through."""

    class Request:
        id, task, is_eager, delivery_info = "c-9", "bridge_books", False, {"redelivered": True}

        def get(self, name: str) -> Any:
            return {"eta": "2026-11-26T00:00:00+00:00"}.get(name)

    monkeypatch.setattr(claims, "claim_run", lambda *_: "postgres")
    with pytest.raises(Ignore):
        in_celery.fence(Request())
    monkeypatch.setattr(claims, "claim_run", lambda *_: "celery")
    in_celery.fence(Request())
