"""One job: where it stands, its attempts, and what may be done with it."""

from __future__ import annotations

from youtility_tasks import history, holds
from youtility_tasks.documents import jobs as documents
from youtility_tasks.errors import JobNotFound

from .table import page
from .visit import Shown, Visit


@page("jobs/<tasks_id:job_id>/", tab="jobs")
def job(visit: Visit, job_id: int) -> Shown:
    """The job with every attempt."""
    known = history.story(job_id, tenant_id=visit.tenant_id)
    if known is None:
        raise JobNotFound(job_id)
    context = {
        "job": documents.story(known, holds.held(known.job_id, known.tenant_id, known.job)),
        "attempts": [documents.attempt(each) for each in known.attempts],
        "args": documents.args(known) if visit.sees_contents else None,
    }
    return Shown("job.html", f"Job {job_id}", context)
