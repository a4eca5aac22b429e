"""A job of one tenant works for no other, whatever its arguments name; a sweep's enters each."""

from __future__ import annotations

from typing import Any

import pytest

from youtility_tasks import registry, roster, running
from youtility_tasks.errors import TenantOfAnotherJob
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.status import Outcome
from youtility_tasks.tenants import tenant
from youtility_tasks.testing import run_jobs

A, B = 7, 8


def note(*, number: int) -> None:
    """What is enqueued for whoever it is."""


def reach(*, tenant_id: int) -> None:
    with tenant(tenant_id):
        registry.resolve("note").enqueue(number=1)


def reach_each(*, tenant_id: int) -> None:
    reach(tenant_id=tenant_id)


@pytest.fixture
def tasks(transactional_db: None, declare: Any) -> Any:
    for tenant_id in (A, B):
        roster.add(tenant_id, f"tenant {tenant_id}")
    return declare(reach), declare(reach_each, tenant="all"), declare(note)


def a_job_cannot_work_for_another_tenant(tasks: Any) -> None:
    reach, _, noted = tasks
    with tenant(A):
        own, other = reach.enqueue(tenant_id=A), reach.enqueue(tenant_id=B)
    run_jobs()

    assert list(Job.objects.filter(task_name=noted.name).values_list("tenant_id", flat=True)) in ([A], [])
    ended = {attempt.job_id: attempt for attempt in TaskExecutionHistory.objects.filter(task_name=reach.name)}
    assert ended[int(own.id)].outcome == Outcome.SUCCEEDED
    assert ended[int(other.id)].outcome != Outcome.SUCCEEDED
    assert f"belongs to tenant {A}, and was about to work for tenant {B}" in ended[int(other.id)].error_message


def test_a_job_cannot_work_for_another_tenant(tasks: Any) -> None:
    a_job_cannot_work_for_another_tenant(tasks)


def test_a_sweep_may_enter_each(tasks: Any) -> None:
    _, sweep, noted = tasks
    sweep.enqueue(tenant_id=A)
    sweep.enqueue(tenant_id=B)
    run_jobs()

    assert set(TaskExecutionHistory.objects.filter(task_name=noted.name).values_list("tenant_id", flat=True)) == {A, B}


def test_the_error_names_the_job_and_what_is_right() -> None:
    before = running.current.set(running.Running(12, "send_bill", tenant_id=A))
    try:
        with (
            pytest.raises(TenantOfAnotherJob, match=r"Job 12 of task 'send_bill' belongs to tenant 7.*tenant='all'"),
            tenant(B),
        ):
            raise AssertionError("entered")
    finally:
        running.current.reset(before)


def test_without_the_guard_the_test_is_red(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody:
        def get(self) -> None:
            return None

    monkeypatch.setattr("youtility_tasks.tenants.running.current", Nobody())
    with pytest.raises(AssertionError):
        a_job_cannot_work_for_another_tenant(tasks)
