"""A trace on its way through a column: as text, and back."""

from __future__ import annotations

import hashlib
import re

from opentelemetry import trace
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?: (\S.{0,511}))?")


def of_now() -> str:
    """The trace and span around this code; empty without one."""
    return text(trace.get_current_span().get_span_context())


def text(context: SpanContext) -> str:
    """As `traceparent` and `tracestate` write it."""
    if not context.is_valid:
        return ""
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
    return f"{parent} {context.trace_state.to_header()}".rstrip()[:567]


def read(said: str | None) -> SpanContext | None:
    """What was carried; None for what is none, whoever has written it."""
    found = _FORM.fullmatch(said or "")
    if found is None:
        return None
    trace_id, span_id, flags, state = found.groups()
    context = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16) & TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([state] if state else []),
    )
    return context if context.is_valid else None


def trace_of_job(job_id: int, enqueued_at: float) -> int:
    """The trace of a job that was enqueued under none: all its attempts come to the same."""
    return _number(f"{job_id} {enqueued_at:.6f}", 16)


def span_of_attempt(trace_id: int, job_id: int, number: int) -> int:
    """The span of an attempt, which others can point to without having been told."""
    return _number(f"{trace_id:032x} {job_id} {number}", 8)


def _number(said: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=size).digest()) or 1
