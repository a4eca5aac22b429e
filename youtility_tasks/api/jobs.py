"""Jobs: listed, looked at, submitted; and what people do to them."""

from __future__ import annotations

import dataclasses
from typing import Any

from youtility_tasks import acts, dead_letters, history, holds, listing, notes, registry, search, submission, tenants
from youtility_tasks import why as whys
from youtility_tasks.documents import jobs as documents
from youtility_tasks.errors import JobNotFound, SearchRefused, UnknownTask, WrongArguments
from youtility_tasks.status import JobStatus
from youtility_tasks.tenants import current_tenant
from youtility_tasks.visits import For

from . import letter_words, words
from .endpoints import endpoint
from .job_words import (
    ActedDocument,
    ActedMany,
    Chosen,
    JobDocument,
    JobQuery,
    Jobs,
    Submission,
    Submitted,
    WhyDocument,
)
from .letter_words import Retry
from .words import OfTenant, OfTenantOrSweeps, Why


@endpoint("GET", "jobs/", query=JobQuery, gives=Jobs)
def list_jobs(query: JobQuery, place: Any) -> dict[str, Any]:
    """Jobs that wait, run or have failed, and those that have ended, newest first, by pages."""
    asked = search.parse(query.search)
    if asked.tenant_id not in (None, place.tenant_id):
        raise SearchRefused(
            f"tenant:{asked.tenant_id} is not the tenant of this request: ?tenant={asked.tenant_id} says which."
        )
    wanted = dataclasses.replace(
        asked,
        statuses=query.status or asked.statuses,
        queue_name=query.queue or asked.queue_name,
        task_name=query.task,
        tenant_id=place.tenant_id,
        since=query.since or asked.since,
        until=query.until or asked.until,
        before_id=query.before_id,
    )
    found = listing.jobs(wanted, limit=query.limit + 1)
    page, following = words.page_of(found, query.limit, lambda line: line.job_id)
    return {"jobs": [documents.line(line) for line in page], "next": following}


@endpoint("POST", "jobs/", body=Submission, gives=Submitted, status=201, scope=For.TENANT_OR_SWEEPS, takes_key=True)
def submit_job(query: OfTenantOrSweeps, body: Submission, place: Any, key: str | None) -> dict[str, Any]:
    """Enqueue one job of a task."""
    task = registry.resolve(body.task)
    if task is None:
        raise UnknownTask(body.task, registry.registered())
    wanted = task.using(
        run_after=body.run_after,
        priority=body.priority,
        queue_name=body.queue,
        unique=_one_key(body.unique, key),
        expires_at=body.expires_at,
    )
    args, kwargs = _call(body.args) if task.verbatim else ([], body.args)
    result, is_new = submission.submit(wanted, args, kwargs, reason=body.reason)
    return {"job": documents.submitted(wanted, result, is_new, current_tenant() or tenants.ALL)}


def _one_key(said: str | None, header: str | None) -> str | None:
    if said is not None and header is not None and said != header:
        raise WrongArguments("The header Idempotency-Key and `unique` are two different keys; give one of them.")
    return said if said is not None else header


def _call(given: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Of a task that takes its arguments as they are: some by place, some by name."""
    args, kwargs = given.get("args", []), given.get("kwargs", {})
    if not given.keys() <= {"args", "kwargs"} or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise WrongArguments('This task takes {"args": [by place], "kwargs": {by name}}, either of them or both.')
    return args, kwargs


@endpoint("GET", "jobs/<id:job_id>/", gives=JobDocument, refusals=(404,))
def get_job(query: OfTenant, place: Any, job_id: int) -> dict[str, Any]:
    """One job with every attempt, what it was given and printed, and why it waits."""
    known = history.story(job_id, tenant_id=place.tenant_id)
    if known is None:
        raise JobNotFound(job_id)
    job = documents.story(known, holds.held(known.job_id, known.tenant_id, known.job))
    job["args"] = None if place.is_ops else documents.args(known)
    job["checkpoint"] = None if place.is_ops or known.job is None else notes.kept_by(known.job_id)
    waits = known.status is JobStatus.TODO and not place.is_ops
    return {
        "job": job,
        "attempts": [documents.attempt(each) for each in known.attempts],
        "why": documents.why(whys.of(known)) if waits else None,
    }


@endpoint("GET", "jobs/<id:job_id>/why/", gives=WhyDocument, refusals=(404,))
def why_job(query: OfTenant, place: Any, job_id: int) -> dict[str, Any]:
    """Why a job does not run, and when it may."""
    return documents.why(whys.why(job_id))


@endpoint("POST", "jobs/<id:job_id>/cancel/", body=Why, gives=ActedDocument, refusals=(404, 409))
def cancel_job(query: OfTenant, body: Why, place: Any, job_id: int) -> dict[str, Any]:
    """Take a waiting job off its queue, or ask the worker of a running one to end it."""
    return {"job": documents.acted(acts.cancel(job_id, body.reason))}


@endpoint("POST", "jobs/<id:job_id>/retry/", gives=ActedDocument, body=Retry, refusals=(404, 409))
def retry_job(query: OfTenant, body: Retry, place: Any, job_id: int) -> dict[str, Any]:
    """Give a dead letter a fresh set of attempts, as it is or with other arguments."""
    if not body.set:
        return {"job": documents.acted(acts.retry(job_id, body.reason))}
    letter_words.refuse_operators(place)
    return {"job": documents.acted(dead_letters.retry(job_id, body.set, body.reason))}


@endpoint("POST", "jobs/<id:job_id>/discard/", body=Why, gives=ActedDocument, refusals=(404, 409))
def discard_job(query: OfTenant, body: Why, place: Any, job_id: int) -> dict[str, Any]:
    """Take a dead letter out of the queue for good."""
    return {"job": documents.acted(acts.discard(job_id, body.reason))}


@endpoint("POST", "jobs/cancel/", body=Chosen, gives=ActedMany)
def cancel_jobs(query: OfTenant, body: Chosen, place: Any) -> dict[str, Any]:
    """Cancel several jobs; those that cannot be are told with the reason."""
    return _many(acts.cancel_many(body.ids, body.reason))


@endpoint("POST", "jobs/retry/", body=Chosen, gives=ActedMany)
def retry_jobs(query: OfTenant, body: Chosen, place: Any) -> dict[str, Any]:
    """Retry several dead letters; those that cannot be are told with the reason."""
    return _many(acts.retry_many(body.ids, body.reason))


@endpoint("POST", "jobs/discard/", body=Chosen, gives=ActedMany)
def discard_jobs(query: OfTenant, body: Chosen, place: Any) -> dict[str, Any]:
    """Discard several dead letters; those that cannot be are told with the reason."""
    return _many(acts.discard_many(body.ids, body.reason))


def _many(acted: acts.Acts) -> dict[str, Any]:
    refused = documents.refused(acted.refused)
    return {"ok": not refused, "done": documents.all_acted(acted.done), "refused": refused}
