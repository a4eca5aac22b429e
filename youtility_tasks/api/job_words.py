"""What may be said of jobs over HTTP, and how they are answered."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from youtility_tasks.audit import LONGEST_REASON
from youtility_tasks.status import JobStatus

from . import words
from .reading import LONGEST_KEY
from .words import Given, Instant, Name, Paged, QueryInstant, Said, Why

_MOST_AT_ONCE = 500


class JobQuery(Paged):
    status: list[JobStatus] = Field([], description="Only with one of these.")
    queue: Name | None = None
    task: Name | None = None
    since: QueryInstant | None = Field(None, description="Only what was enqueued, claimed or ended since then.")
    until: QueryInstant | None = Field(None, description="Only what was enqueued before.")
    search: str = Field(
        "",
        max_length=200,
        description="A job's id, its lock or unique key as a whole, or a part of its task's name; or words as task:send_* "
        "error:Timeout args.id:7 lock:site-7. What arguments say is looked for in the newest 10,000 jobs, what errors say in those that failed or began.",
    )


class Progress(Given):
    done: int | float
    total: int | float | None
    note: str | None
    at: str | None


class Key(Given):
    key: str | None = Field(description="Null to an operator: it is the tenant's own words.")
    while_: str = Field(alias="while", description="For how long the job holds it.")
    until: str | None


class JobLine(Given):
    id: int
    status: str
    task: str
    queue: str
    tenant: int
    priority: int
    attempts: int
    max_attempts: int | None
    abort_requested: bool
    enqueued_at: str
    scheduled_at: str | None
    started_at: str | None
    finished_at: str | None
    progress: Progress | None
    error_class: str
    error_message: str


class Jobs(Given):
    jobs: list[JobLine]
    next: str | None


class JobFacts(Given):
    id: int
    status: str
    task: str
    max_attempts: int | None
    is_in_queue: bool
    queue: str
    tenant: int
    priority: int
    attempts: int
    enqueued_at: str | None
    scheduled_at: str | None
    finished_at: str | None
    expires_at: str | None = None
    claimed_at: str | None = None
    worker_id: int | None = None
    claim_number: int | None = None
    abort_requested: bool | None = None
    progress: Progress | None = None
    crash_count: int | None = None
    rescue_count: int | None = None
    lock: str | None = None
    queueing_lock: str | None = None
    unique_key: str | None = None
    done_key: str | None = None
    attempts_before: int | None = Field(None, description="Used up before somebody gave it new ones.")
    fingerprint: str | None = Field(None, description="Of a dead letter: alike for errors that are alike.")
    trace_id: str | None = Field(
        None, description="Of OpenTelemetry, where it is on, while the job waits or runs, or is a dead letter."
    )
    holds: list[Key] = Field(description="The keys under which later calls are answered with this job.")
    checkpoint: Any = Field(None, description="Where its next attempt goes on; null to an operator.")
    args: dict[str, Any] | None = Field(None, description="Marked arguments are redacted; null to an operator.")


class Attempt(Given):
    attempt: int
    status: str
    outcome: str
    is_final: bool
    started_at: str | None
    finished_at: str | None
    wait_ms: float | None
    run_ms: float | None
    cpu_ms: float | None
    peak_memory_kib: int | None
    worker_id: int | None
    host: str
    pid: int | None
    result: Any
    error_class: str
    error_message: str | None
    traceback: str | None
    output: str | None


class WhyDocument(Given):
    id: int
    task: str
    status: str
    because: str
    sentence: str
    expected_start_at: str | None
    facts: dict[str, Any]


class JobDocument(Given):
    job: JobFacts
    attempts: list[Attempt]
    why: WhyDocument | None = Field(description="Why it does not run, while it waits; null to an operator.")


class Submission(Said):
    task: Name
    args: dict[str, Any] = Field({}, description="Arguments by name.")
    run_after: Instant | None = None
    expires_at: Instant | None = Field(None, description="Not begun by then, it is not run.")
    priority: Annotated[int, Field(ge=1, le=10)] | None = Field(None, description="1 (most urgent) to 10.")
    queue: Name | None = None
    unique: Annotated[str, Field(min_length=1, max_length=LONGEST_KEY)] | None = Field(
        None,
        description="No second job of the task while one with this key waits or runs; as the header Idempotency-Key.",
    )
    reason: str = Field("", max_length=LONGEST_REASON, description="Kept in the audit log.")


class SubmittedJob(Given):
    id: int
    task: str
    queue: str
    tenant: int
    enqueued_at: str | None
    scheduled_at: str | None
    is_new: bool = Field(description="False: a job that holds the key waits or runs already, and this is it.")
    is_replaced: bool = Field(description="That job waited, and has this call's arguments now.")


class Submitted(Given):
    job: SubmittedJob


class Acted(Given):
    id: int
    task: str
    queue: str
    tenant: int
    becomes: str


class ActedDocument(Given):
    job: Acted


class Chosen(Why):
    ids: list[Annotated[int, Field(ge=1, le=words.LARGEST_ID)]] = Field(min_length=1, max_length=_MOST_AT_ONCE)


class RefusedJob(Given):
    id: int
    error: str
    message: str


class ActedMany(Given):
    ok: bool
    done: list[Acted]
    refused: list[RefusedJob]
