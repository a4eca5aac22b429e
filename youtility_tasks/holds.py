"""For which later calls a job stands: the keys that it holds now, and for how long. `uniqueness.py` says what they mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.db.models.functions import Now

from .models import Job, UniqueKey
from .status import LIVE, JobStatus
from .tenancy import roles


@dataclass(frozen=True, slots=True)
class Held:
    """One key that a job holds."""

    key: str | None
    """None for an operator of all tenants: it is the tenant's own words."""
    while_: str
    """"queueing_lock", or the word of `Unique`, "debounce" or "period"."""
    until: datetime | None = None
    """Of a period: by the database's clock."""

    @property
    def sentence(self) -> str:
        """For people."""
        until = self.until.astimezone(UTC).strftime("until %Y-%m-%d %H:%M:%SZ") if self.until else _UNTIL[self.while_]
        becomes = "give it their arguments and move it" if self.while_ == "debounce" else "are answered with it"
        key = "its key" if self.key is None else f"its key {self.key!r}"
        return f"Later calls with {key} {becomes} {until}."


_UNTIL = {
    "queueing_lock": "while it waits",
    "waiting": "while it waits",
    "debounce": "while it waits",
    "waiting_or_running": "until it has ended",
    "until_done": "until it has succeeded or was cancelled; as a dead letter, until it is retried with success or discarded",
}


def held(job_id: int, tenant_id: int, job: Job | None) -> list[Held]:
    """Every key that this job of that tenant holds; `job` is its row, None once it has left the queue."""
    found = [] if job is None else _of_row(job)
    keys = UniqueKey.objects.filter(tenant_id=tenant_id, job_id=job_id, held_until__gt=Now()).order_by("held_until")
    found += [Held(each.key, "period", each.held_until) for each in keys]
    return [replace(each, key=None) for each in found] if roles.acting_as() == "ops" else found


def _of_row(job: Job) -> list[Held]:
    found = []
    if job.queueing_lock is not None and job.status == JobStatus.TODO:
        key, while_ = job.queueing_lock, "queueing_lock"
        for kind, word in (("unique", "waiting"), ("debounce", "debounce")):
            if key.startswith(start := f"{job.tenant_id}:{kind} {job.task_name} "):
                key, while_ = key.removeprefix(start), word
        found.append(Held(key, while_))
    if job.unique_key is not None and job.status in LIVE:
        found.append(Held(job.unique_key, "waiting_or_running"))
    if job.done_key is not None and job.status in (*LIVE, JobStatus.FAILED):
        found.append(Held(job.done_key, "until_done"))
    return found
