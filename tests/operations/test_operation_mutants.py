"""Each guard of the statements behind operations is taken out once, and somebody notices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from tests.integration.desk import Desk, execute, job
from tests.integration.mutants import must_catch
from youtility_tasks import Task, Workflow, history, operations, queries, tenant
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import Job, OperationBatch, TaskOperation

Some = Callable[..., list[int]]
Carry = Callable[..., TaskOperation]
BATCH, UNDO = "youtility_tasks_operation_batch_v1", "youtility_tasks_operation_undo_v1"

pytestmark = pytest.mark.usefixtures("db", "acme", "other_tenant")


def begun(act: str, **how: Any) -> TaskOperation:
    with tenant(7):
        return operations.begin(act, JobFilter(), **{"reason": "so", **how})


def undone(row: TaskOperation, carry: Carry) -> TaskOperation:
    with tenant(7):
        return carry(operations.undo(row.pk))


def batch_of(row: TaskOperation, ids: list[int]) -> list[int]:
    wanted = {"operation_id": row.pk, "job_ids": ids, "status": "failed", "keeps": True, "tenant_id": 7}
    ((held,),) = queries.fetch("operation_batch", wanted)
    return list(held)


def test_a_batch_holds_the_tenants_own_that_stand_as_they_should(dead: Some, waiting: Some) -> None:
    own, others, waits = dead(7, 2), dead(8), waiting(7)
    row = begun("retry")

    def check() -> None:
        assert batch_of(row, [*own, *others, *waits]) == own

    must_catch(check, BATCH, "AND (theirs IS NULL OR j.tenant_id = theirs)", "")
    must_catch(check, BATCH, "AND j.status = p_status::procrastinate_job_status", "")


def test_a_batch_is_of_an_operation_that_goes_on(dead: Some) -> None:
    own = dead(7)
    row = begun("retry")
    with tenant(7):
        operations.stop(row.pk)

    def check() -> None:
        try:
            with transaction.atomic():
                held = batch_of(row, own)
        except DatabaseError as refused:
            assert "no such operation goes on" in str(refused)
        else:
            raise AssertionError(held)

    must_catch(check, BATCH, "AND o.ended_at IS NULL", "")


def test_an_undo_leaves_what_has_moved_on(dead: Some, waiting: Some, desk: Desk, carry: Carry) -> None:
    def retried() -> None:
        letters = dead(7)
        row = begun("retry")
        carry(row)
        execute("UPDATE procrastinate_jobs SET claim_number = claim_number + 1, attempts = 1 WHERE id = %s", *letters)
        assert undone(row, carry).refused_count == 1
        assert job(letters[0]).status == "todo"

    def put_off() -> None:
        (waits,) = waiting(7)
        later = timezone.now() + timedelta(hours=1)
        Job.objects.filter(pk=waits).update(scheduled_at=later)
        row = begun("run now")
        carry(row)
        execute("UPDATE procrastinate_jobs SET claim_number = claim_number + 1 WHERE id = %s", waits)
        assert undone(row, carry).refused_count == 1
        assert job(waits).scheduled_at < later

    def raised() -> None:
        (waits,) = waiting(7)
        row = begun("priority", priority=1)
        carry(row)
        execute("UPDATE procrastinate_jobs SET priority = 2 WHERE id = %s", waits)
        assert undone(row, carry).refused_count == 1
        assert job(waits).priority == 2

    must_catch(retried, UNDO, "AND j.claim_number = was.claim_number + 1", "")
    must_catch(put_off, UNDO, "AND j.claim_number = was.claim_number AND", "AND")
    must_catch(raised, UNDO, "AND j.priority = 11 - batch.priority", "")


def test_a_cancelled_job_comes_back_as_one_that_has_not_ended(waiting: Some, carry: Carry) -> None:
    def check() -> None:
        (waits,) = waiting(7)
        row = begun("cancel")
        carry(row)
        undone(row, carry)
        known = history.story(waits)
        assert known is not None and known.status == "todo"
        assert known.args == {"number": 1}

    must_catch(check, UNDO, "was.claim_number := was.claim_number + 1;", "")
    must_catch(check, UNDO, "was.args := held;", "was.args := '{}';")


def test_a_batch_is_undone_once(waiting: Some, carry: Carry) -> None:
    (waits,) = waiting(7)
    row = begun("priority", priority=1)
    carry(row)
    batch = OperationBatch.objects.get()

    def check() -> None:
        assert len(queries.fetch("undo_batch", {"batch_id": batch.pk, "tenant_id": 7})) == 1
        assert queries.fetch("undo_batch", {"batch_id": batch.pk, "tenant_id": 7}) == []
        assert queries.fetch("undo_batch", {"batch_id": batch.pk, "tenant_id": 8}) == []
        assert job(waits).priority == 6

    must_catch(check, UNDO, "AND b.undone_at IS NULL", "")


def test_a_batch_of_another_tenant_is_not_undone(waiting: Some, carry: Carry) -> None:
    waiting(7)
    row = begun("priority", priority=1)
    carry(row)
    batch = OperationBatch.objects.get()

    def check() -> None:
        assert queries.fetch("undo_batch", {"batch_id": batch.pk, "tenant_id": 8}) == []

    must_catch(check, UNDO, "AND b.tenant_id IS NOT DISTINCT FROM theirs", "")


def test_a_job_of_a_workflow_is_not_put_beside_its_run(add_task: Task, carry: Carry) -> None:
    def check() -> None:
        flow = Workflow("one step")
        flow.step(add_task, number=1)
        with tenant(7):
            flow.start()
        row = begun("cancel")
        carry(row)
        assert undone(row, carry).refused_count == 1
        assert not Job.objects.exists()

    must_catch(check, UNDO, "ELSIF was.step_id IS NOT NULL THEN", "ELSIF false THEN")


def test_two_jobs_never_come_to_stand_for_one_key(add_task: Task, carry: Carry) -> None:
    with tenant(7):
        first = add_task.using(unique="k").enqueue(number=1)
    row = begun("cancel")
    carry(row)
    with tenant(7):
        second = add_task.using(unique="k").enqueue(number=2)
    ended = undone(row, carry)
    assert (ended.done_count, ended.refused_count) == (0, 1)
    assert "stands for its unique key" in ended.refused[0]["why"]
    assert [str(each) for each in Job.objects.values_list("pk", flat=True)] == [second.id] != [first.id]
