"""A step becomes a job once, in the transaction that ended the last step it waits for."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.integration.desk import execute, rows
from tests.workflows.play import Play, jobs_of
from youtility_tasks import COMPLETION, FAILURE, SUCCESS, Task, Workflow, tenant
from youtility_tasks.models import Job

pytestmark = pytest.mark.django_db


def test_a_chain_goes_on_with_each_success(acme: int, make_task: Task, play: Play) -> None:
    flow = Workflow("chain")
    flow.chain((make_task, {"n": 1}), (make_task, {"n": 2}), (make_task, {"n": 3}))
    with tenant(acme):
        run = flow.start()

    seen = []
    while names := play.take():
        seen.append(names)
        play.run(*names)

    assert seen == [["make"], ["make 2"], ["make 3"]]
    assert run.status == "succeeded"
    assert run.statuses() == {"make": "succeeded", "make 2": "succeeded", "make 3": "succeeded"}


def test_a_run_is_there_exactly_if_the_callers_rows_are(acme: int, make_task: Task, play: Play) -> None:
    flow = Workflow("not meant")
    flow.step(make_task)
    with tenant(acme), pytest.raises(ZeroDivisionError), transaction.atomic():
        flow.start()
        raise ZeroDivisionError

    assert play.take() == []
    assert rows("SELECT count(*) FROM youtility_tasks_taskworkflow") == [(0,)]


@pytest.mark.parametrize(
    ("verdict", "next_names", "statuses", "status"),
    [
        ("succeeded", ["mailed"], {"mailed": "succeeded", "alarmed": "skipped", "told": "succeeded"}, "succeeded"),
        ("failed", ["alarmed", "told"], {"mailed": "skipped", "alarmed": "succeeded", "told": "succeeded"}, "failed"),
        ("aborted", ["alarmed", "told"], {"mailed": "skipped", "alarmed": "succeeded", "told": "succeeded"}, "failed"),
    ],
)
def test_edges_go_by_how_a_step_ended(
    verdict: str, next_names: list[str], statuses: dict[str, str], status: str,
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play,
) -> None:  # fmt: skip
    flow = Workflow("edges")
    made = flow.step(make_task, name="made")
    mailed = flow.step(mail_task, name="mailed", after={made: SUCCESS})
    flow.step(mail_task, name="alarmed", after={made: FAILURE})
    flow.step(tidy_task, name="told", after={made: COMPLETION, mailed: COMPLETION})
    with tenant(acme):
        run = flow.start()
    play.take()

    play.end("made", verdict=verdict)

    assert play.take() == next_names
    play.run(*next_names)
    play.run_all()
    assert run.statuses() == {"made": verdict, **statuses}
    assert run.status == status


def test_any_is_released_by_the_first_and_only_once(acme: int, make_task: Task, mail_task: Task, play: Play) -> None:
    flow = Workflow("any")
    first, second, third = flow.group(*[(make_task, {"n": n}) for n in range(3)])
    flow.step(mail_task, after=[first, second, third], join="any")
    with tenant(acme):
        run = flow.start()
    play.take()

    play.fail("make")
    assert play.take() == ["make 2", "make 3"]
    play.run("make 2")
    assert play.take() == ["mail", "make 3"]
    play.run("make 3", "mail")

    assert play.take() == []
    assert jobs_of(run) == 4


def test_any_is_skipped_once_none_is_left(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("none of them")
    both = flow.group(make_task, make_task)
    mailed = flow.step(mail_task, after=both, join="any")
    flow.step(tidy_task, after={mailed: SUCCESS})
    flow.step(tidy_task, name="told", after={mailed: COMPLETION})
    with tenant(acme):
        run = flow.start()
    play.take()

    play.fail("make", "make 2")

    assert play.take() == ["told"]
    assert [run.statuses()[name] for name in ("mail", "tidy", "told")] == ["skipped", "skipped", "todo"]


def test_a_retry_is_no_end(acme: int, make_task: Task, mail_task: Task, play: Play) -> None:
    flow = Workflow("retry")
    flow.chain(make_task, mail_task)
    with tenant(acme):
        run = flow.start()
    for verdict in ("retry", "crashed", "released"):
        play.take()
        play.end("make", verdict=verdict)
        assert run.statuses() == {"make": "todo", "mail": "blocked"}

    play.take()
    play.end("make")

    assert play.take() == ["mail"]


def test_a_job_without_a_step_knows_nothing_of_it(acme: int, make_task: Task, play: Play) -> None:
    with tenant(acme):
        make_task.enqueue(n=1)
    (job,) = play.desk.claim()

    assert Job.objects.get(pk=job.id).step_id is None
    assert play.desk.finish(job, "succeeded")
    assert rows("SELECT coalesce(current_setting('youtility_tasks.ended_jobs', true), '')") == [("",)]


def test_two_parents_of_one_batch_release_once(acme: int, make_task: Task, mail_task: Task, play: Play) -> None:
    flow = Workflow("one batch")
    flow.step(mail_task, after=flow.group(make_task, make_task))
    with tenant(acme):
        run = flow.start()
    play.take()

    play.end("make", "make 2")

    assert play.take() == ["mail"]
    assert jobs_of(run) == 3


def test_a_step_of_a_tenant_that_left_is_cancelled_and_its_run_ends(
    acme: int, make_task: Task, mail_task: Task, tidy_task: Task, play: Play
) -> None:
    flow = Workflow("left")
    made = flow.step(make_task)
    flow.step(mail_task, after=made)
    flow.step(tidy_task, after={made: COMPLETION})
    with tenant(acme):
        run = flow.start()
    play.take()
    execute("UPDATE youtility_tasks_tenant SET is_active = false WHERE id = %s", acme)

    play.end("make")

    assert play.take() == []
    assert run.statuses() == {"make": "succeeded", "mail": "cancelled", "tidy": "cancelled"}
    assert run.status == "failed"
