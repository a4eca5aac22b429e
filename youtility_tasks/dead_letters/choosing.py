"""Which dead letters are meant, and the groups that they fall into by what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Func, Max, Min, TextField

from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.models.history import TENANTS_OWN
from youtility_tasks.models.jobs import NO_FINGERPRINT, JobQuerySet
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import current_tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """Which dead letters are meant: those of the current tenant (outside of one: of all) that are all of this; None is any."""

    task_name: str | None = None
    queue_name: str | None = None
    fingerprint: str | None = None
    """Of the error, as `groups` has it; "none": nobody has said an error."""
    failed_since: datetime | None = None
    failed_until: datetime | None = None

    def find(self, tenant_id: int | None) -> JobQuerySet:
        """These jobs, of one tenant or (None) of all that may be seen."""
        found = Job.objects.dead_letters().for_tenant(tenant_id).of_queue(self.queue_name).of_task(self.task_name)
        return found.of_fingerprint(self.fingerprint).failed_between(self.failed_since, self.failed_until)

    def choose(self, limit: int | None = None) -> list[int]:
        """The ids of these jobs, oldest first."""
        found = self.find(current_tenant()).order_by("pk")
        return list(found.values_list("pk", flat=True)[:limit])

    def said(self) -> dict[str, str]:
        """What was asked for, for people and for JSON."""
        given = {
            "task": self.task_name,
            "queue": self.queue_name,
            "fingerprint": self.fingerprint,
            "since": self.failed_since.isoformat() if self.failed_since else None,
            "until": self.failed_until.isoformat() if self.failed_until else None,
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Dead letters of one task and one error, and the latest of them."""

    fingerprint: str
    task_name: str
    count: int
    tenant_count: int
    first_failed_at: datetime | None
    last_failed_at: datetime | None
    job_id: int
    """The one that was enqueued last."""
    error_class: str = ""
    """Of its last attempt, as what follows."""
    error_message: str = ""
    """Empty for an operator of all tenants, as `place` and `says`: they are the tenant's."""
    place: str = ""
    """Where it was raised: file and function, without the number of the line."""
    says: str = ""
    """What the error says in plain words; a question mark stands for names, numbers and what is quoted."""


def groups(wanted: Letters, *, limit: int = 50) -> list[Group]:
    """The groups that these letters fall into, the largest first. Two queries: one on an index, one for the examples."""
    found = list(
        wanted.find(current_tenant())
        .values("task_name", "fingerprint")
        .annotate(
            count=Count("pk"),
            tenant_count=Count("tenant_id", distinct=True),
            first_failed_at=Min("failed_at"),
            last_failed_at=Max("failed_at"),
            job_id=Max("pk"),
        )
        .order_by("-count", "-last_failed_at", "fingerprint")[:limit]
    )
    last = _last_attempts([each["job_id"] for each in found])
    return [_group(each, last.get(each["job_id"])) for each in found]


def failed_at(wanted: Letters, *, limit: int = 5_000) -> list[datetime]:
    """When the newest of these letters failed for good, newest first; of what a stock worker gave up no time is known."""
    found = wanted.find(current_tenant()).filter(failed_at__isnull=False).order_by("-failed_at")
    return [each for each in found.values_list("failed_at", flat=True)[:limit] if each is not None]


def _group(found: Mapping[str, Any], last: TaskExecutionHistory | None) -> Group:
    said: dict[str, str] = {}
    if last is not None:
        said["error_class"] = last.error_class
        if "error_message" not in last.get_deferred_fields():
            said |= {"error_message": last.error_message, "place": last.place, "says": last.says}  # type: ignore[attr-defined]
    return Group(**{**found, **said, "fingerprint": found["fingerprint"] or NO_FINGERPRINT})


def _last_attempts(job_ids: list[int]) -> dict[int, TaskExecutionHistory]:
    found = TaskExecutionHistory.objects.last_of_jobs(job_ids)
    if roles.acting_as() == "ops":  # who may read nothing of what is the tenant's own
        return {row.job_id: row for row in found.defer(*TENANTS_OWN)}
    text = TextField()
    said = found.defer("args", "result", "output", "traceback").annotate(
        place=Func(F("traceback"), function="youtility_tasks_error_place_v1", output_field=text),
        says=Func(F("error_message"), function="youtility_tasks_error_words_v1", output_field=text),
    )
    return {row.job_id: row for row in said}
