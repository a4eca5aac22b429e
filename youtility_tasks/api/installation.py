"""The installation as its operators see it: what is wrong, and what is past its retention. Nothing here changes anything."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks import metrics
from youtility_tasks.doctor.examine import examine
from youtility_tasks.documents import installation as documents
from youtility_tasks.status import Outcome
from youtility_tasks.upkeep import prune
from youtility_tasks.visits import For

from . import words
from .endpoints import endpoint
from .words import Digits, Given, Name, Said

_MOST_DAYS = 36_600


class CleanupQuery(Said):
    older_than: Annotated[int, Field(ge=0, le=_MOST_DAYS), Digits] | None = Field(
        None, description="Keep so many whole UTC days before today, of everything; without it, what the settings say."
    )
    outcome: Outcome | None = Field(None, description="Only attempts that ended so.")
    task: Name | None = Field(None, description="Only attempts of this task.")
    tenant: words.TenantId | None = Field(None, description="Only attempts of this tenant.")


class Day(Given):
    day: str
    attempts: int
    by_outcome: dict[str, int]


class Cleanup(Given):
    dry_run: bool
    kept_days: int
    retention: dict[str, Any]
    attempts: int
    attempts_by_outcome: dict[str, int]
    partitions: list[Day] = Field(description="Days that would be dropped whole.")
    jobs: int = Field(description="That a stock worker had left.")
    jobs_by_status: dict[str, int]
    workers: int
    redrives: int
    kept_redrive_days: int
    postponed: list[str]


class Check(Given):
    name: str
    ok: bool
    found: str
    advice: str


class Checks(Given):
    ok: bool
    checks: list[Check]


@endpoint("GET", "cleanup/", query=CleanupQuery, gives=Cleanup, scope=For.OPS)
def preview_cleanup(query: CleanupQuery, place: Any) -> dict[str, Any]:
    """What is past its retention: what `cleanup` would remove now, and the workers will."""
    scope = prune.Scope(keep_days=query.older_than, outcome=query.outcome, task_name=query.task, tenant_id=query.tenant)
    return documents.removed(prune.would_remove(metrics.database_clock(), scope), scope, dry_run=True)


@endpoint("GET", "doctor/", gives=Checks, scope=For.OPS, one_transaction=False)
def examine_installation(query: Any, place: Any) -> dict[str, Any]:
    """What is wrong with this installation, and what to do; as seen from the process that answers, and without what only the
    command can look at: the declared schedules."""
    return documents.findings(examine(among_others=True))
