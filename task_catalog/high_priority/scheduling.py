"""create_ppm_job (T01) and create_job (T03): dated occurrences of recurring plans, ahead of time and only once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from task_catalog import entities, keys
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.planning.run import Assignment, Run
from task_catalog.ports import clock
from task_catalog.rules import scheduling as rules
from youtility_tasks import BadInput, Retry, TaskContext, queues, tenant, tenants_in_scope

MOST_IDS = 500
_LARGEST_ID = 2**63 - 1


def _one_waiting_ppm(arguments: dict[str, Any]) -> str:
    wanted = arguments.get("jobid")
    return "create_ppm_job" if wanted is None else f"create_ppm_job:{wanted}"


def _one_waiting(arguments: dict[str, Any]) -> str:
    wanted = arguments.get("jobids")
    if wanted is None:
        return "create_job"
    return f"create_job:{keys.digest_json(sorted(wanted) if _are_ids(wanted) else wanted)[:32]}"


@task(
    name="create_ppm_job",
    queue_name=queues.HIGH_PRIORITY,
    priority=3,
    retry=Retry(5, base=60, factor=2, cap=900),
    timeout_s=600,
    lock="create_ppm_job",
    queueing_lock=_one_waiting_ppm,
    tenant="all",
    takes_context=True,
    schedule="3 3,16 * * *",
    seed_class="high",
)
def create_ppm_job(context: TaskContext, *, jobid: int | None = None) -> dict[str, Any]:
    """Make the occurrences of every maintenance plan, or of the one named, with their questions and reminders.

    Looks ahead to the end of the plan's validity, at most `TASK_CATALOG["ppm_horizon_days"]`.

    Second attempt: `jobneed:{job_id}:{P}` and `reminder:{jobneed_id}:{unit}:{value}` are made once, and what is there
    is left alone.
    """
    if jobid is not None and not _is_id(jobid):
        raise BadInput(f"create_ppm_job: jobid is {jobid!r}; right is the id of a PPM plan, or none for all of them.")
    named = None if jobid is None else [jobid]
    if named is not None and _known(named)[0] != rules.PPM:
        raise BadInput(f"create_ppm_job: plan {jobid} is no PPM plan. create_job makes tasks, tours and site reports.")
    assignment = Assignment(rules.MAINTAINED, timedelta(days=catalog().ppm_horizon_days))
    run = Run(context, assignment, clock.now(), named)
    run.go()
    result = run.result()
    if run.sweep.to_be_continued:
        create_ppm_job.enqueue(jobid=jobid)
    return {
        **result,
        "reminders_created": run.total["reminders"],
        "reminders_skipped_past": run.total["reminders_past"],
    }


@task(
    name="create_job",
    queue_name=queues.HIGH_PRIORITY,
    priority=2,
    retry=Retry(5, base=60, factor=2, cap=900),
    timeout_s=600,
    lock="create_job",
    queueing_lock=_one_waiting,
    tenant="all",
    takes_context=True,
    schedule="27 */8 * * *",
    seed_class="high",
)
def create_job(context: TaskContext, *, jobids: list[int] | None = None) -> dict[str, Any]:
    """Make the occurrences of tasks, tours and site reports for the hours ahead; of all plans, or of those named.

    How many hours says `TASK_CATALOG["planning_horizon_hours"]`. A plan that is named and not eligible is reported,
    not forced; at most 500 can be named.

    Second attempt: `jobneed:{job_id}:{P}` and `jobneed-child:{root_id}:{seqno}` are made once, and what is there is
    left alone.
    """
    if jobids is not None:
        if not _are_ids(jobids) or not jobids:
            raise BadInput(f"create_job: jobids is {_shown(jobids)}; right is a list of plan ids, or none for all.")
        if len(jobids) > MOST_IDS:
            raise BadInput(f"create_job: {len(jobids)} plans are named; at most {MOST_IDS}. Split the list.")
        jobids = sorted(set(jobids))
        _known(jobids)
    assignment = Assignment(rules.PLANNED, timedelta(hours=catalog().planning_horizon_hours))
    run = Run(context, assignment, clock.now(), jobids)
    run.go()
    result = run.result()
    if run.sweep.to_be_continued:
        create_job.enqueue(jobids=jobids)
    return {**result, "children_created": run.total["stops"], "per_job": run.per_job}


def _known(ids: Sequence[int]) -> list[str]:
    """The kind of work of each plan named. Raises BadInput for ids that are no plan of the clients in scope."""
    found: dict[int, str] = {}
    for client_id in tenants_in_scope():
        with tenant(client_id):
            plans = entities.Plan.objects.filter(client_id=client_id, pk__in=ids).exclude(pk=entities.none_id())
            found.update(plans.values_list("pk", "identifier"))
    unknown = [wanted for wanted in ids if wanted not in found]
    if unknown:
        listed = ", ".join(map(str, unknown[:20])) + (f" and {len(unknown) - 20} more" if len(unknown) > 20 else "")
        raise BadInput(f"There is no plan {listed}. Pass ids of Job rows of this client; nothing was planned.")
    return [found[wanted] for wanted in ids]


def _are_ids(given: object) -> bool:
    return isinstance(given, Collection) and not isinstance(given, str | dict) and all(map(_is_id, given))


def _is_id(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 0 < given <= _LARGEST_ID


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 200 else f"{text[:200]}..."
