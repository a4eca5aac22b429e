"""An act on all that a filter means: counted before, done in batches, stopped, undone where that is true, entered twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from tests.integration.desk import Desk, execute, job, rows, statuses
from youtility_tasks import Task, Workflow, acts, history, operations, queries, tenant
from youtility_tasks.errors import OperationNotFound, Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import Job, OperationBatch, TaskAuditLog, TaskOperation, Tenant
from youtility_tasks.operations import carrying
from youtility_tasks.status import JobStatus

Some = Callable[..., list[int]]
Carry = Callable[..., TaskOperation]

pytestmark = pytest.mark.usefixtures("db", "acme", "other_tenant")


def begun(act: str, wanted: JobFilter | None = None, **how: Any) -> TaskOperation:
    with tenant(7):
        return operations.begin(act, wanted, **{"reason": "so", **how})


def undone(row: TaskOperation, carry: Carry) -> TaskOperation:
    with tenant(7):
        return carry(operations.undo(row.pk, "it was wrong"))


def test_a_preview_counts_and_shows_what_an_act_is_for_and_why_it_leaves_the_rest(waiting: Some, dead: Some) -> None:
    letters = [*dead(7, 3), *dead(7, 2, "u")]
    waiting(7, 4)
    dead(8, 5)
    with tenant(7):
        seen = operations.preview("retry", JobFilter())
        narrow = operations.preview("retry", JobFilter(task_name="u", statuses=[JobStatus.FAILED]))
    assert (seen.count, seen.is_capped, seen.by_task, seen.is_undone) == (5, False, {"t": 3, "u": 2}, True)
    assert [line.job_id for line in seen.sample] == sorted(letters, reverse=True)
    assert list(seen.left_alone.values()) == [4]
    assert (narrow.count, narrow.left_alone) == (2, {})
    assert not TaskOperation.objects.exists()


def test_a_preview_leaves_alone_what_is_of_an_inactive_tenant(dead: Some) -> None:
    dead(7, 3), dead(8, 2)
    Tenant.objects.filter(pk=8).update(is_active=False)
    seen = operations.preview("retry", JobFilter())
    assert (seen.count, [line.tenant_id for line in seen.sample]) == (3, [7, 7, 7])
    ((why, n),) = seen.left_alone.items()
    assert (n, "not active" in why) == (2, True)


def test_undo_is_offered_for_what_was_done_and_once(dead: Some, carry: Carry) -> None:
    dead(7, 1)
    row = begun("retry")
    assert not operations.is_undoable(row), "it runs"
    ended = carry(row)
    with tenant(7):
        nothing = operations.begin("retry", JobFilter(task_name="unknown"))
    assert (operations.is_undoable(ended), operations.is_undoable(carry(nothing))) == (True, False)
    with tenant(7):
        operations.undo(ended.pk, "it was wrong")
        assert not operations.is_undoable(ended)


def test_its_jobs_are_those_that_there_were_when_it_began(dead: Some, carry: Carry) -> None:
    first = dead(7, 7)
    others = dead(8, 2)
    row = begun("retry")
    later = dead(7, 2)
    ended = carry(row, batch=3)
    assert (ended.total_count, ended.done_count, ended.refused_count) == (7, 7, 0)
    assert statuses() == {**dict.fromkeys(first, "todo"), **dict.fromkeys([*others, *later], "failed")}
    assert {each.claim_number for each in Job.objects.filter(pk__in=first)} == {4}


def test_what_fails_after_the_beginning_is_not_retried_again(dead: Some, carry: Carry) -> None:
    (letter,) = dead(7)
    row = begun("retry")
    execute("UPDATE procrastinate_jobs SET failed_at = clock_timestamp() + interval '1 s' WHERE id = %s", letter)
    assert carry(row).done_count == 0


def test_retried_jobs_come_due_at_the_rate(dead: Some, carry: Carry) -> None:
    letters = dead(7, 6)
    carry(begun("retry", rate_per_s=2), batch=2)
    due = list(Job.objects.filter(pk__in=letters).order_by("pk").values_list("scheduled_at", flat=True))
    assert [(b - a).total_seconds() for a, b in pairwise(due)] == pytest.approx([0.5] * 5, abs=0.01)


def test_there_is_one_entry_for_the_beginning_and_one_for_the_end(dead: Some, carry: Carry) -> None:
    dead(7, 5)
    row = begun("discard", JobFilter(task_name="t"))
    carry(row, batch=2)
    found = list(TaskAuditLog.objects.order_by("pk").values_list("act", "tenant_id", "reason", "after"))
    assert [each[:3] for each in found] == [("begin operation", 7, "so"), ("end operation", 7, "so")]
    assert found[0][3] == {"operation": row.pk, "act": "discard", "filter": {"task_name": "t"}, "count": 5}
    assert found[1][3] == {"operation": row.pk, "act": "discard", "done": 5, "refused": 0}


def test_one_that_was_stopped_acts_on_no_more_jobs_and_can_be_undone(dead: Some, carry: Carry) -> None:
    letters = dead(7, 6)
    row = begun("retry")
    assert carrying.carry_on(row.pk, 7, most_s=0, batch=2) is False
    with tenant(7):
        operations.stop(row.pk, "enough")
        with pytest.raises(Refused, match="has ended"):
            operations.stop(row.pk)
    assert carrying.carry_on(row.pk, 7) is None
    assert statuses() == {**dict.fromkeys(letters, "failed"), **dict.fromkeys(letters[:2], "todo")}
    assert undone(row, carry).done_count == 2
    assert statuses() == dict.fromkeys(letters, "failed")


# -- each act, and its way back


def as_it_was(job_id: int) -> dict[str, Any]:
    ((row,),) = rows("SELECT to_jsonb(j) FROM procrastinate_jobs j WHERE id = %s", job_id)
    return dict(json.loads(row) if isinstance(row, str) else row)


def story_of(job_id: int) -> str:
    known = history.story(job_id)
    assert known is not None
    return known.status


def test_cancelled_jobs_wait_again_under_their_ids(add_task: Task, desk: Desk, carry: Carry) -> None:
    with tenant(7):
        made = int(add_task.using(unique="k", priority=2).enqueue(number=41).id)
    before = as_it_was(made)
    row = begun("cancel")
    carry(row)
    assert statuses() == {}
    assert story_of(made) == "cancelled"

    assert undone(row, carry).done_count == 1

    after = as_it_was(made)
    assert {**after, "claim_number": 0} == before
    assert after["claim_number"] == 1
    claimed = desk.take()
    assert (claimed.id, claimed.args) == (made, {"number": 41})
    assert desk.finish(claimed, "succeeded")
    assert story_of(made) == "succeeded"


def test_discarded_letters_are_dead_letters_again(dead: Some, carry: Carry) -> None:
    (letter,) = dead(7)
    before = as_it_was(letter)
    row = begun("discard")
    carry(row)
    assert statuses() == {}
    undone(row, carry)
    assert {**as_it_was(letter), "claim_number": 3} == before
    with tenant(7):
        assert acts.retry(letter).becomes == "todo"


def test_retried_letters_are_dead_again_unless_they_were_claimed(add_task: Task, desk: Desk, carry: Carry) -> None:
    with tenant(7):
        made = [int(add_task.enqueue(number=n).id) for n in range(2)]
    for claimed in desk.claim():
        desk.finish(claimed, "failed")
    before = as_it_was(made[1])
    row = begun("retry")
    carry(row)
    claimed = desk.claim(1)[0]

    ended = undone(row, carry)

    assert (claimed.id, ended.done_count, ended.refused_count) == (made[0], 1, 1)
    assert "moved on" in ended.refused[0]["why"]
    assert as_it_was(made[1]) == before
    assert desk.finish(claimed, "succeeded")


def test_priorities_are_what_they_were_unless_somebody_gave_another(waiting: Some, carry: Carry) -> None:
    first, second = waiting(7, 2)
    execute("UPDATE procrastinate_jobs SET priority = 3 WHERE id = %s", first)
    row = begun("priority", priority=1)
    carry(row)
    assert (job(first).priority, job(second).priority) == (10, 10)
    execute("UPDATE procrastinate_jobs SET priority = 9 WHERE id = %s", second)
    assert undone(row, carry).refused_count == 1
    assert (job(first).priority, job(second).priority) == (3, 9)


def test_jobs_for_later_come_due_and_wait_again(waiting: Some, carry: Carry, desk: Desk) -> None:
    first, second, third = waiting(7, 3)
    later = timezone.now() + timedelta(hours=1)
    Job.objects.filter(pk__in=[first, second]).update(scheduled_at=later)
    with tenant(7):
        assert operations.preview("run now").count == 2
        assert operations.preview("run now").left_alone["they are due already"] == 1
    row = begun("run now")
    assert carry(row).done_count == 2
    assert {each.id for each in desk.claim(2)} & {first, second, third}
    execute("UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, claim_number = 0 WHERE id = %s", second)
    undone(row, carry)
    assert job(second).scheduled_at == later


def test_running_jobs_are_asked_to_end_and_that_is_not_undone(waiting: Some, carry: Carry, desk: Desk) -> None:
    (made,) = waiting(7)
    desk.claim()
    row = begun("abort")
    assert carry(row).done_count == 1
    assert job(made).abort_requested
    with tenant(7), pytest.raises(Refused, match="cannot be taken back"):
        operations.undo(row.pk)


# -- what is refused


@pytest.mark.parametrize(
    ("act", "wanted", "how", "says"),
    [
        ("retires", JobFilter(), {}, "Did you mean 'retry'"),
        ("discard", JobFilter(), {"reason": " "}, "Why"),
        ("priority", JobFilter(), {}, "takes a priority from 1"),
        ("priority", JobFilter(), {"priority": 11}, "given: 'priority' with 11"),
        ("retry", JobFilter(), {"priority": 3}, "no other act takes one"),
        ("retry", JobFilter(), {"rate_per_s": 0}, "A rate is from"),
        ("cancel", JobFilter(), {"rate_per_s": 5}, "for 'retry' and 'run now'"),
        ("retry", JobFilter(statuses=[JobStatus.TODO]), {}, "they wait in their queues"),
        ("retry", JobFilter(tenant_id=8), {}, "names tenant 8"),
        ("retry", JobFilter(before_id=8), {}, "pages of a list"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_written(
    act: str, wanted: JobFilter, how: dict[str, Any], says: str
) -> None:
    with pytest.raises(Refused, match=says):
        begun(act, wanted, **how)
    assert not TaskOperation.objects.exists()
    assert not TaskAuditLog.objects.exists()


def test_an_undo_is_refused_while_it_goes_on_twice_and_when_its_time_is_over(dead: Some, carry: Carry) -> None:
    dead(7, 1)
    row = begun("retry")
    with tenant(7), pytest.raises(Refused, match="goes on"):
        operations.undo(row.pk)
    carry(row)
    with tenant(7):
        with (
            override_settings(YOUTILITY_TASKS={"operation_undo_s": 0}),
            pytest.raises(Refused, match="could be undone until"),
        ):
            operations.undo(row.pk)
        undo = operations.undo(row.pk)
        with pytest.raises(Refused, match="was undone already"):
            operations.undo(row.pk)
        with pytest.raises(Refused, match="cannot be undone"):
            operations.undo(undo.pk)
    with tenant(8), pytest.raises(OperationNotFound):
        operations.get(row.pk)


def test_how_jobs_stood_is_forgotten_when_it_can_be_undone_no_longer(dead: Some, carry: Carry) -> None:
    dead(7, 3)
    row = begun("retry")
    carry(row, batch=2)
    for undo_s, left in ((3600, 2), (0, 0)):
        queries.run("forget_operations", {"now": timezone.now() + timedelta(seconds=9), "undo_s": undo_s, "most": 100})
        assert OperationBatch.objects.filter(was__isnull=False).count() == left
    assert [ids for (ids,) in OperationBatch.objects.values_list("job_ids")]


def test_a_step_of_a_workflow_is_not_put_back(add_task: Task, desk: Desk, carry: Carry) -> None:
    flow = Workflow("one step")
    flow.step(add_task, number=1)
    with tenant(7):
        flow.start()
    row = begun("cancel")
    assert carry(row).done_count == 1
    ended = undone(row, carry)
    assert (ended.done_count, ended.refused_count) == (0, 1)
    assert "a step of a workflow" in ended.refused[0]["why"]


def test_an_operators_operation_is_on_all_tenants_jobs(dead: Some, carry: Carry) -> None:
    dead(7, 2), dead(8, 2)
    row = operations.begin("retry", JobFilter(), reason="all of it")
    assert row.tenant_id is None
    assert carry(row).done_count == 4
    with tenant(7):
        assert operations.listing() == []
