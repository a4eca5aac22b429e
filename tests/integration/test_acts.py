"""What people do to jobs, and what they are told when they cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from youtility_tasks import Retry, acts, history, queues, registry, roster, tenant
from youtility_tasks.acts import Becomes
from youtility_tasks.declaration import Task
from youtility_tasks.errors import JobNotFound, Refused
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.status import JobStatus
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


def sweep_stairs(*, fails: bool = False) -> None:
    if fails:
        raise RuntimeError("the broom broke")


@pytest.fixture
def task() -> Iterator[Task]:
    yield registry.task(sweep_stairs, queue_name=queues.MAINTENANCE, retry=Retry(1))
    registry.forget("sweep_stairs")


@pytest.fixture
def acme() -> int:
    return roster.add(7, "ACME").pk


@pytest.fixture
def other_tenant() -> int:
    return roster.add(8, "Beta").pk


def waiting(task: Task, tenant_id: int, **options: object) -> int:
    with tenant(tenant_id):
        return int(task.using(**options).enqueue().id)


def dead(task: Task, tenant_id: int, **options: object) -> int:
    with tenant(tenant_id):
        job_id = int(task.using(**options).enqueue(fails=True).id)
    run_jobs(task.queue_name)
    return job_id


def running(task: Task, tenant_id: int) -> int:
    job_id = waiting(task, tenant_id)
    Job.objects.filter(pk=job_id).update(status=JobStatus.DOING, claim_number=1)
    return job_id


@pytest.mark.parametrize("act", [acts.cancel, acts.retry, acts.discard])
@pytest.mark.parametrize(
    "job_id", ["abc", "", "-1", -1, 0, 2**63, "9" * 5_000, 1.5, None], ids=lambda given: repr(given)[:9]
)
def test_what_can_be_no_id_is_not_found_and_leaves_the_callers_transaction_alone(act, job_id):
    with pytest.raises(JobNotFound):
        act(job_id)

    assert Job.objects.count() == 0


def test_the_id_of_a_result_is_text_and_names_its_job(task, acme):
    job_id = waiting(task, acme)

    assert acts.cancel(str(job_id)).job_id == job_id


def test_a_waiting_job_that_is_cancelled_leaves_the_queue_and_its_history_keeps_the_reason(task, acme):
    job_id = waiting(task, acme)

    acted = acts.cancel(job_id, "asked\0 twice")

    assert acted == acts.Acted(job_id, "sweep_stairs", queues.MAINTENANCE, acme, Becomes.CANCELLED)
    assert not Job.objects.filter(pk=job_id).exists()
    row = TaskExecutionHistory.objects.get(job_id=job_id)
    assert (row.status, row.outcome, row.is_final, row.tenant_id) == ("cancelled", "cancelled", True, acme)
    assert row.error_message == "asked\N{SYMBOL FOR NULL} twice"


def test_a_running_job_that_is_cancelled_is_asked_to_end_however_often(task, acme):
    job_id = running(task, acme)

    first, second = acts.cancel(job_id), acts.cancel(job_id)

    assert first.becomes == second.becomes == Becomes.ABORTING
    job = Job.objects.get(pk=job_id)
    assert (job.status, job.abort_requested) == ("doing", True)


def test_a_dead_letter_that_is_retried_runs_again_with_fresh_attempts(task, acme):
    job_id = dead(task, acme)
    Job.objects.filter(pk=job_id).update(crash_count=2, rescue_count=3, args={"fails": False})

    acted = acts.retry(job_id)

    assert acted.becomes is Becomes.TODO
    job = Job.objects.get(pk=job_id)
    assert (job.status, job.attempts, job.crash_count, job.rescue_count, job.failed_at) == ("todo", 0, 0, 0, None)
    assert history.story(job_id).status is JobStatus.TODO
    run_jobs()
    assert history.story(job_id).status is JobStatus.SUCCEEDED
    assert [attempt.status for attempt in history.story(job_id).attempts] == ["failed", "succeeded"]


def test_a_dead_letter_that_is_discarded_leaves_with_its_arguments_in_the_history(task, acme):
    job_id = dead(task, acme)

    acts.discard(job_id, "mended by hand")

    story = history.story(job_id)
    assert (story.job, story.status, story.args) == (None, JobStatus.CANCELLED, {"fails": True})
    assert story.attempts[-1].error_message == "mended by hand"


@pytest.mark.parametrize(
    ("act", "make", "text"),
    [
        (acts.retry, waiting, r"cannot be retried: it waits in its queue\. `cancel` takes it off"),
        (acts.discard, waiting, r"cannot be discarded: it waits in its queue"),
        (acts.retry, running, r"cannot be retried: it runs now\. `cancel` asks it to end"),
        (acts.discard, running, r"cannot be discarded: it runs now"),
        (acts.cancel, dead, r"cannot be cancelled: it has failed for good .*`retry` gives it new attempts, `discard`"),
    ],
)
def test_an_act_that_the_status_does_not_allow_says_what_is_possible_and_changes_nothing(act, make, text, task, acme):
    job_id = make(task, acme)
    before = Job.objects.filter(pk=job_id).values().get()

    with pytest.raises(Refused, match=rf"Job {job_id} \(sweep_stairs\) {text}"):
        act(job_id)

    assert Job.objects.filter(pk=job_id).values().get() == before


@pytest.mark.parametrize("act", [acts.cancel, acts.retry, acts.discard])
def test_nothing_can_be_done_to_a_job_that_has_succeeded(act, task, acme):
    job_id = waiting(task, acme)
    run_jobs()

    with pytest.raises(Refused, match=r"it has succeeded\. .*enqueue its task again"):
        act(job_id)


@pytest.mark.parametrize("act", [acts.cancel, acts.retry, acts.discard])
def test_another_tenants_job_does_not_exist(act, task, acme, other_tenant):
    job_id = waiting(task, acme) if act is acts.cancel else dead(task, acme)

    with tenant(other_tenant), pytest.raises(JobNotFound, match=str(job_id)):
        act(job_id)

    with tenant(acme):
        assert act(job_id).job_id == job_id


def test_a_retry_is_refused_while_another_job_stands_for_the_same_unique_key(task, acme):
    job_id = dead(task, acme, unique="stairs")
    waiting(task, acme, unique="stairs")

    with pytest.raises(Refused, match=r"another job with its unique key waits or runs already"):
        acts.retry(job_id)

    assert Job.objects.get(pk=job_id).status == "failed"


def test_of_two_dead_letters_with_one_queueing_lock_both_are_retried_and_one_goes_on_without_it(task, acme):
    ids = [dead(task, acme, queueing_lock="stairs"), dead(task, acme, queueing_lock="stairs")]

    done = acts.retry_many(ids).done

    assert [each.job_id for each in done] == ids
    locks = Job.objects.filter(pk__in=ids).order_by("pk").values_list("queueing_lock", flat=True)
    assert list(locks) == ["7:stairs", None]


def test_many_jobs_are_acted_on_and_each_that_cannot_be_has_its_own_reason(task, acme):
    first, second, failed = waiting(task, acme), running(task, acme), 10**12

    done = acts.cancel_many([first, second, failed, first])

    assert {each.job_id: each.becomes for each in done.done} == {first: Becomes.CANCELLED, second: Becomes.ABORTING}
    assert list(done.refused) == [failed]
    assert isinstance(done.refused[failed], JobNotFound)


def test_jobs_are_chosen_by_queue_and_task_for_the_current_tenant_oldest_first(task, acme, other_tenant):
    mine = [waiting(task, acme), waiting(task, acme)]
    waiting(task, other_tenant)

    with tenant(acme):
        assert acts.choose(JobStatus.TODO, task_name="sweep_stairs") == mine
        assert acts.choose(JobStatus.TODO, queue_name=queues.EMAIL) == []
    assert acts.choose(JobStatus.TODO, limit=1) == mine[:1]
