"""The spans of attempts: of each its run, and how long it was due before; of one whose process died, what its worker knows.

Imported with the setting `tracing` alone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from youtility_tasks import queries
from youtility_tasks.tracing import carrying, ids, words
from youtility_tasks.workflows import resolve

from . import run

if TYPE_CHECKING:
    from .children import Job
    from .watched import Attempt

Told = Sequence[Any]
"""Of a job: its trace as text, when it was enqueued (s), how long it was due (s); see sql/traces.sql."""


@dataclass(frozen=True, slots=True)
class BeforeStep:
    """The trace of a step's run, and the attempts that ended the steps before."""

    trace: str | None
    attempts: Sequence[tuple[int, int]]


def before_step(current: run.Run) -> BeforeStep | None:
    """None of a job that is no step. One statement, in the tenant of the job."""
    args = current.assignment.args
    at = resolve.place(args) if isinstance(args, dict) else None
    if at is None or current.task is None:
        return None
    with run.whose(current):
        rows = queries.fetch("trace_of_step", {"step_id": at.step_id})
    return BeforeStep(rows[0][0], [(job_id, number) for _, job_id, number in rows if job_id]) if rows else None


def around(
    attempt: Attempt, told: Told | None, before: BeforeStep | None
) -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """What stands around the attempt while it runs."""

    @contextlib.contextmanager
    def watch() -> Iterator[None]:
        place = _Place.of(attempt.job_id, told, before)
        _note_wait(place, attempt.queue_name, told)
        span = place.start(attempt.job_id, attempt.number, attempt.queue_name, before)
        if span.is_recording():
            span.set_attributes(_attributes(attempt))
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield
            _end(span, attempt.outcome or "lost", attempt.error)

    return watch


def lost(job: Job, queue_name: str, outcome: str) -> None:
    """The span of an attempt that could not end its own: its process was killed, or died."""
    place = _Place.of(job.job_id, job.trace, None)
    span = place.start(job.job_id, None, queue_name, None, start_time=job.taken_at_ns)
    if span.is_recording():
        known = words.ours(
            task__name=job.task_name, tenant__id=job.tenant_id, attempt=job.attempt, worker__id=job.worker_id
        )
        span.set_attributes(words.messaging("process", queue_name, message__id=str(job.job_id)) | known)
    span.set_attribute("youtility.outcome", outcome)
    span.set_attribute("error.type", outcome)
    span.set_status(StatusCode.ERROR)
    span.end()


def names(job: Job) -> tuple[str, str]:
    """Trace and span of a job's present attempt, as text."""
    trace_id = _Place.of(job.job_id, job.trace, None).trace_id
    return f"{trace_id:032x}", f"{carrying.span_of_attempt(trace_id, job.job_id, job.attempt):016x}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an attempt belongs: under a span, or as one of the first of its job's own trace."""

    under: SpanContext | None
    trace_id: int

    @classmethod
    def of(cls, job_id: int, told: Told | None, before: BeforeStep | None) -> _Place:
        said, enqueued_at = (told[0], told[1]) if told else (None, 0.0)
        under = carrying.read(said or (before.trace if before else None))
        return cls(under, under.trace_id if under else carrying.trace_of_job(job_id, enqueued_at))

    def context(self) -> contexts.Context:
        empty = contexts.Context()
        return empty if self.under is None else trace.set_span_in_context(NonRecordingSpan(self.under), empty)

    def start(self, job_id: int, number: int | None, queue_name: str, before: BeforeStep | None, **more: Any) -> Span:
        links = [] if self.under is None else [Link(self.under)]  # the convention wants one to who has sent it
        for each in before.attempts if before else ():
            known = carrying.span_of_attempt(self.trace_id, *each)
            links.append(Link(SpanContext(self.trace_id, known, is_remote=True, trace_flags=TraceFlags(1))))
        options: dict[str, Any] = {"context": self.context(), "kind": SpanKind.CONSUMER, "links": links, **more}
        name = f"process {queue_name}"
        if number is None:
            return ids.tracer().start_span(name, **options)
        span_id = carrying.span_of_attempt(self.trace_id, job_id, number)
        return ids.start(name, trace_id=self.trace_id, span_id=span_id, **options)


def _note_wait(place: _Place, queue_name: str, told: Told | None) -> None:
    """From when the job was due until now: by the database's clock as far as the claim, by ours since it was handed over."""
    if place.under is None or not told or told[2] is None:
        return
    now = time.time_ns()
    waited_s = max(0.0, told[2] + now / 1e9 - told[3])
    wait = ids.tracer().start_span(
        f"wait {queue_name}", context=place.context(), start_time=now - int(waited_s * 1e9), kind=SpanKind.INTERNAL
    )
    wait.end(now)


def _attributes(attempt: Attempt) -> dict[str, Any]:
    return words.messaging("process", attempt.queue_name, message__id=str(attempt.job_id)) | words.ours(
        task__name=attempt.task_name,
        tenant__id=attempt.tenant_id,
        attempt=attempt.number,
        max_attempts=attempt.max_attempts,
        worker__id=attempt.worker_id,
        workflow__id=attempt.workflow_id,
    )


def _end(span: Span, outcome: str, error: BaseException | None) -> None:
    span.set_attribute("youtility.outcome", outcome)
    if error is not None:
        # Its class alone: its message may quote an argument, and the job's history has it.
        span.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
        span.set_status(StatusCode.ERROR)
