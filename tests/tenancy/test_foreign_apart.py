"""Other packages' tasks where the database keeps tenants apart: enqueued by the web, run by real workers, their results read by whose they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from tests.acceptance.app import plain
from tests.acceptance.crew import Crew, until
from tests.tenancy.crews import crew_of
from tests.tenancy.ground import A, B, House
from youtility_tasks import tasks_api, tenant, tenants
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup")
Status = tasks_api.TaskResultStatus


@pytest.fixture
def web(house: House, django_db_blocker: Any) -> Iterator[House]:
    house.rows("DELETE FROM procrastinate_jobs")
    with django_db_blocker.unblock(), house.settled(allow_unsafe_database=True):
        roles.act_as("web")
        yield house


@pytest.fixture
def crew(web: House, tmp_path: Path) -> Iterator[Crew]:
    made = crew_of(web, tmp_path)
    made.start(**web.settings)
    yield made
    made.close()


@contextlib.contextmanager
def of(tenant_id: int) -> Iterator[None]:
    with tenant(tenant_id) if tenant_id else tenants.no_tenant():
        yield


def test_what_a_tenant_enqueues_runs_for_it_and_only_it_reads_the_result(crew: Crew) -> None:
    called: dict[int, list[Any]] = {}
    for tenant_id in (A, B, 0):
        with of(tenant_id):
            called[tenant_id] = [
                plain.joins.using(priority=-37).enqueue("a", "b", end="!"),
                plain.tells.enqueue("w"),
                plain.tells_async.enqueue("w"),
                plain.breaks.enqueue("why"),
            ]

    for results in called.values():
        for each in results:
            crew.queue.ending(int(each.id))

    for tenant_id, (joined, told, told_async, broken) in called.items():
        with of(tenant_id):
            for each in (joined, told, told_async, broken):
                each.refresh()
            assert (joined.status, joined.return_value, joined.task.priority) == (Status.SUCCESSFUL, "a-b!", -37)
            assert told.return_value == [1, told.id, "RUNNING", True, 1, 0, "default", "w"]
            assert told_async.return_value == [1, told_async.id, "RUNNING", True, 1, 0, "default", "w"]
            assert (broken.status, broken.errors[0].exception_class) == (Status.FAILED, LookupError)
        for other in {A, B, 0} - {tenant_id}:
            for each in (joined, broken):
                with of(other), pytest.raises(tasks_api.TaskResultDoesNotExist):
                    plain.joins.get_result(each.id)
        if tenant_id:
            with tenants.nobody(), pytest.raises(tasks_api.TaskResultDoesNotExist):
                plain.joins.get_result(joined.id)


def test_who_listens_is_told_as_the_jobs_tenant(crew: Crew) -> None:
    with tenant(A):
        result = plain.joins.enqueue("a", "b")

    crew.queue.ending(int(result.id))

    heard = until(
        lambda: len(found := [each for each in crew.diary("signal") if each["told"][0] == result.id]) >= 2 and found,
        why="both signals",
    )
    assert [each["signal"] for each in heard] == ["started", "finished"]
    assert heard[1]["told"][1:] == ["SUCCESSFUL", True, 1, 50, "default"]


def test_outside_of_any_tenant_it_is_nobodys_job(crew: Crew) -> None:
    """A page of another package's knows of no tenant."""
    result = plain.joins.enqueue("a", "b")
    awaited = async_to_sync(plain.joins.aenqueue)("c", "d")

    for each in (result, awaited):
        assert crew.queue.ending(int(each.id))["status"] == "succeeded"
    result.refresh()

    assert (result.status, result.return_value) == (Status.SUCCESSFUL, "a-b")
    whose = "SELECT DISTINCT tenant_id FROM youtility_tasks_history WHERE job_id = ANY (%s)"
    assert crew.queue.rows(whose, [int(result.id), int(awaited.id)]) == [(0,)]
    with tenant(A), pytest.raises(tasks_api.TaskResultDoesNotExist):
        plain.joins.get_result(result.id)
    with tenants.nobody(), pytest.raises(tasks_api.TaskResultDoesNotExist):
        plain.joins.get_result(str(crew.queue.put("task_every_min")))  # one of ours, for all tenants
