"""What jobs note of their way is written for the attempt that runs, and for no other: the fences, and who sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from tests.integration.desk import Claimed, Desk, execute, rows
from tests.integration.mutants import must_catch
from youtility_tasks import Retry, Task, TaskContext, Transient, notes, progress_of, queries, tenant
from youtility_tasks.errors import CheckpointInTransaction, LeaseLost, NotJson, TooLarge
from youtility_tasks.notes import Notes
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db

PROGRESS, CHECKPOINT = "youtility_tasks_progress_v1", "youtility_tasks_checkpoint_v1"


@pytest.fixture
def put(add_task: Task, acme: int) -> int:
    with tenant(acme):
        return int(add_task.enqueue().id)


def tell(desk: Desk, taken: Claimed, done: float, *, total: float | None = 10, note: str = "") -> list[int]:
    """The jobs of which it was written."""
    told = json.dumps([[taken.id, taken.claim_number, done, total, note]])
    ((written,),) = queries.fetch("note_progress", {"worker_id": desk.id, "told": told})
    return list(written)


def keep(desk: Desk, taken: Claimed, data: Any) -> bool:
    told = {"job_id": taken.id, "worker_id": desk.id, "claim_number": taken.claim_number, "data": json.dumps(data)}
    return bool(queries.fetch("write_checkpoint", told)[0][0])


def kept(job_id: int) -> Any:
    return Notes(job_id, 0, 0, tenant_id=7).last_checkpoint()


Write = Callable[[Desk, Claimed], bool]


def tells(desk: Desk, taken: Claimed) -> bool:
    return bool(tell(desk, taken, 5))


def keeps(desk: Desk, taken: Claimed) -> bool:
    return keep(desk, taken, 5)


@pytest.mark.parametrize(("write", "function"), [(tells, PROGRESS), (keeps, CHECKPOINT)])
def test_the_attempt_that_runs_writes_and_an_earlier_one_does_not(
    desk: Desk, put: int, write: Write, function: str
) -> None:
    def check() -> None:
        before = desk.take()
        assert write(desk, before)
        desk.finish(before, "released")
        now = desk.take()
        assert write(desk, now)
        assert not write(desk, before)

    must_catch(
        check, function, f"j.claim_number = {'t.claim_number' if function == PROGRESS else 'p_claim_number'}", "true"
    )


@pytest.mark.parametrize(("write", "function"), [(tells, PROGRESS), (keeps, CHECKPOINT)])
def test_another_worker_writes_nothing(desk: Desk, other_desk: Desk, put: int, write: Write, function: str) -> None:
    def check() -> None:
        assert not write(other_desk, desk.take())

    must_catch(check, function, "j.worker_id = p_worker_id", "true")


@pytest.mark.parametrize(("write", "function"), [(tells, PROGRESS), (keeps, CHECKPOINT)])
def test_of_a_job_that_does_not_run_nothing_is_written(desk: Desk, put: int, write: Write, function: str) -> None:
    def check() -> None:
        taken = desk.take()
        execute("UPDATE procrastinate_jobs SET status = 'failed' WHERE id = %s", taken.id)
        assert not write(desk, taken)

    must_catch(check, function, "j.status = 'doing'", "true")


def test_a_rescued_zombie_changes_neither(desk: Desk, other_desk: Desk, put: int) -> None:
    taken = desk.take()
    tell(desk, taken, 3)
    keep(desk, taken, {"page": 3})
    desk.fall_silent()
    other_desk.claim(0)
    queries.fetch("rescue", {"lease_s": 10, "max_rescues": 10})
    again = other_desk.take()

    assert (tell(desk, taken, 9), keep(desk, taken, {"page": 9})) == ([], False)
    assert kept(put) == {"page": 3}
    assert progress_of(put) is None  # what an earlier attempt said is not how far this one is
    assert keep(other_desk, again, {"page": 4}) and kept(put) == {"page": 4}


def test_it_is_seen_while_the_job_runs_and_stays_with_a_dead_letter(desk: Desk, put: int, acme: int) -> None:
    taken = desk.take()
    tell(desk, taken, 4, total=10, note="pages")

    def seen() -> str:
        return str(progress_of(put))

    assert seen() == "4 of 10 pages (40 %)"
    desk.finish(taken, "failed")
    assert seen() == "4 of 10 pages (40 %)"
    found = progress_of(put)
    assert found is not None and found.percent == 40
    with tenant(8):
        assert progress_of(put) is None
    assert progress_of("no id") is None


def test_both_go_with_the_job_that_succeeded(desk: Desk, put: int) -> None:
    taken = desk.take()
    tell(desk, taken, 4)
    keep(desk, taken, [1])
    desk.finish(taken, "succeeded")

    assert (progress_of(put), kept(put)) == (None, None)


def test_none_forgets_a_checkpoint(desk: Desk, put: int) -> None:
    taken = desk.take()
    keep(desk, taken, [1])
    keep(desk, taken, None)

    assert rows("SELECT checkpoint FROM procrastinate_jobs WHERE id = %s", put) == [(None,)]


def test_the_finish_names_no_column_of_them(desk: Desk, put: int) -> None:
    ((text,),) = rows(
        "SELECT string_agg(pg_get_functiondef(oid), '') FROM pg_proc WHERE proname IN ('youtility_tasks_finish_v2', 'youtility_tasks_claim_v2')"
    )

    assert "progress" not in text and "checkpoint" not in text


# -- as a task sees it


steps: list[Any] = []


def pages(context: TaskContext, *, fail_at: int = 2) -> list[int]:
    begin = context.last_checkpoint or 0
    steps.append(begin)
    for page in range(begin, 4):
        context.progress(page, 4, "pages")
        if page == fail_at and context.attempt == 1:
            raise Transient("the printer is away")
        context.checkpoint(page + 1)
    return [begin, context.last_checkpoint]


async def pages_async(context: TaskContext, *, n: int = 0) -> Any:
    await context.acheckpoint({"n": n})
    return await context.alast_checkpoint()


def wrongly(context: TaskContext, *, how: str) -> str:
    given: dict[str, Any] = {"not json": {1, 2}, "too big": "x" * 70_000}
    try:
        if how == "in a transaction":
            with transaction.atomic():
                context.checkpoint(1)
        context.checkpoint(given.get(how))
    except (NotJson, TooLarge, CheckpointInTransaction) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def test_a_retry_goes_on_where_the_checkpoint_says(declare: Callable[..., Task], acme: int) -> None:
    steps.clear()
    task = declare(pages, takes_context=True, retry=Retry(2, base=0))
    with tenant(acme):
        put = task.enqueue()
        assert run_jobs(limit=1) == 1
        assert str(progress_of(put)) == "2 of 4 pages (50 %)"
        run_jobs()
        put.refresh()

    assert steps == [0, 2]
    assert put.return_value == [2, 4]


def test_async_tasks_have_their_own_words(declare: Callable[..., Task], acme: int) -> None:
    task = declare(pages_async, takes_context=True)
    with tenant(acme):
        put = task.enqueue(n=3)
        run_jobs(raises=True)
        put.refresh()

    assert put.return_value == {"n": 3}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("not json", "NotJson: Job {id}: checkpoint"),
        ("too big", "TooLarge: Job {id}: checkpoint"),
        ("in a transaction", "CheckpointInTransaction: context.checkpoint() inside a transaction"),
    ],
)
def test_what_cannot_be_kept_is_an_error_that_says_so(
    declare: Callable[..., Task], acme: int, how: str, said: str
) -> None:
    task = declare(wrongly, takes_context=True)
    with tenant(acme):
        put = task.enqueue(how=how)
        run_jobs()
        put.refresh()

    assert put.return_value.startswith(said.format(id=put.id))


def test_without_the_refusal_a_checkpoint_would_be_taken_in_a_transaction(
    declare: Callable[..., Task], acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes.queries, "in_transaction", lambda: False)
    task = declare(wrongly, takes_context=True)
    with tenant(acme):
        put = task.enqueue(how="in a transaction")
        run_jobs()
        put.refresh()

    assert put.return_value == "nothing"


def test_whoever_lost_the_job_is_told(desk: Desk, put: int) -> None:
    taken = desk.take()
    desk.finish(taken, "released")

    with pytest.raises(LeaseLost, match=f"Job {put} is no longer this worker's"):
        Notes(put, desk.id, taken.claim_number, tenant_id=7).checkpoint([1])


def test_without_a_queue_a_test_looks_at_what_was_noted(declare: Callable[..., Task]) -> None:
    task = declare(pages, takes_context=True)
    context = TaskContext.for_tests(task, attempt=2, last_checkpoint=2)

    assert task.func(context) == [2, 4]
    assert isinstance(context.notes, notes.Remembered)
    assert context.notes.reported == [(2, 4, "pages"), (3, 4, "pages")]
