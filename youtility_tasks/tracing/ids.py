"""Spans under ids that are known beforehand; all others keep the ids of whoever has set tracing up."""

from __future__ import annotations

import contextvars
import functools
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import IdGenerator

_wanted: contextvars.ContextVar[tuple[int | None, int] | None] = contextvars.ContextVar("youtility_span", default=None)
"""Trace (None: drawn, should one be needed) and span of the next span."""


class Ids(IdGenerator):
    """Of our own tracer."""

    def __init__(self, others: IdGenerator) -> None:
        self.others = others

    def generate_span_id(self) -> int:
        wanted = _wanted.get()
        return self.others.generate_span_id() if wanted is None else wanted[1]

    def generate_trace_id(self) -> int:
        wanted = _wanted.get()
        return self.others.generate_trace_id() if wanted is None or wanted[0] is None else wanted[0]


def tracer() -> trace.Tracer:
    """Our tracer, of the provider that this process has."""
    return _tracer_of(trace.get_tracer_provider())


@functools.lru_cache(maxsize=4)
def _tracer_of(provider: trace.TracerProvider) -> trace.Tracer:
    made: Any = provider.get_tracer("youtility_tasks")
    others = getattr(made, "id_generator", None)
    if isinstance(others, IdGenerator) and not isinstance(others, Ids):
        made.id_generator = Ids(others)
    found: trace.Tracer = made
    return found


def start(name: str, *, trace_id: int | None, span_id: int, **options: Any) -> trace.Span:
    """A span under this id; `trace_id` is that of a span without a parent."""
    before = _wanted.set((trace_id, span_id))
    try:
        return tracer().start_span(name, **options)
    finally:
        _wanted.reset(before)
