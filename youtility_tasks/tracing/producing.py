"""The span of whoever enqueues: one a statement, however many jobs it makes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from opentelemetry.trace import Span, SpanKind, StatusCode

from . import ids, words


@contextlib.contextmanager
def sending(destination: str, *, tenant_id: int, count: int = 1, task_name: str | None = None) -> Iterator[Span]:
    """Around the statement that enqueues `count` jobs of one task, or starts a run of a workflow (no task)."""
    attributes = words.messaging("send", destination, batch__message_count=count if count > 1 else None)
    attributes |= words.ours(task__name=task_name, tenant__id=tenant_id)
    with ids.tracer().start_as_current_span(
        f"send {destination}",
        kind=SpanKind.PRODUCER,
        attributes=attributes,
        record_exception=False,  # its message may quote an argument
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
            span.set_status(StatusCode.ERROR)
            raise


def note(span: Span, *, job_id: int, is_new: bool) -> None:
    """Of the one job that stands for the call."""
    span.set_attribute("messaging.message.id", str(job_id))
    if not is_new:
        span.set_attribute("youtility.is_new", False)
