"""Gives single dead letters new attempts with other arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from youtility_tasks import acts, membership, tenants
from youtility_tasks.acts import Acted, Acts
from youtility_tasks.conf import settings
from youtility_tasks.errors import Refused
from youtility_tasks.models import Job
from youtility_tasks.tenants import current_tenant

from .editing import Edit, Letter, check_changes, edit, refuse_operators, task_of
from .moving import Moved, enter, move


def retry(job_id: int, changes: Mapping[str, Any], reason: str = "") -> Acted:
    """Give a dead letter a fresh set of attempts, beginning now, with these arguments in the place of its own.

    They are checked as `enqueue` checks a call; like one, the job is refused while another waits under its queueing lock or stands
    for its unique key. The audit log has the arguments' names.
    Raises what `enqueue` raises for such a call, Refused, JobNotFound, NotAllowed; then nothing was written.
    """
    acted = retry_many([job_id], changes, reason)
    for refused in acted.refused.values():
        raise refused
    return acted.done[0]


def retry_many(job_ids: Iterable[int], changes: Mapping[str, Any], reason: str = "") -> Acts:
    """`retry` for several jobs, in one transaction, after the arguments of all of them were checked."""
    membership.allow("retry", current_tenant())
    refuse_operators()
    could, refused = acts.could_be("retried", job_ids)
    letters = Letter.read(Job.objects.dead_letters().filter(pk__in=could), with_args=True)
    edits = {letter.job_id: _edit(letter, changes) for letter in letters}
    moved = Moved()
    with transaction.atomic(using=settings().database):
        if letters:
            move(letters, edits, first_at=None, spacing_s=0.0, tenant_id=current_tenant(), into=moved)
        enter("retry", moved.done, reason=reason, edited=sorted(changes))
    refused.update({job_id: Refused(why) for job_id, why in moved.refused.items()})
    if gone := [
        job_id for job_id in could if job_id not in refused and job_id not in {each.job_id for each in moved.done}
    ]:
        refused.update({job_id: Refused(f"Job {job_id} moved on meanwhile. Look at it again.") for job_id in gone})
    return Acts(moved.done, refused)


def _edit(letter: Letter, changes: Mapping[str, Any]) -> Edit:
    task = task_of(letter.task_name)
    with tenants.tenant(letter.tenant_id) if letter.tenant_id else tenants.no_tenant():
        return edit(task, letter, check_changes(task, changes, letter.tenant_id))
