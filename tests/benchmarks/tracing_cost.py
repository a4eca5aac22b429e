"""What spans cost whoever enqueues and a child that runs a job: the same calls with tracing and without, in turn.

`DATABASE_URL=... python -m tests.benchmarks.tracing_cost [--rounds N] [--calls N]` on an empty, migrated database of its own. Spans are
encoded as OTLP wants them and then thrown away. Microseconds a call, the process's processor time in brackets: medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import django

SET_UP = "tests.benchmarks.tracing_cost.set_up"


def set_up(part: str) -> None:
    """As `from_environment`, without a receiver, a request or a mail."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Encodes(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            encode_spans(spans).SerializeToString()
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Encodes(), schedule_delay_millis=200))
    trace.set_tracer_provider(provider)


def measure(*, rounds: int, calls: int) -> dict[str, str]:
    """What is measured -> "without, with, difference"."""
    from django.test import override_settings

    from youtility_tasks import enqueue_many, registry, tenant, tracing
    from youtility_tasks.models import Job, Tenant
    from youtility_tasks.workers import run, watched

    Tenant.objects.get_or_create(id=7, defaults={"name": "Acme"})
    task = registry.task(does_nothing)
    assignment = run.Assignment(1, 1, "does_nothing", {"a": 1, "b": "two", "c": None}, 1, 7, 1)
    told: Any = ["00-" + "a" * 32 + "-" + "b" * 16 + "-01", 1700.5, 0.001, 1700.6]

    def one_by_one() -> None:
        with tenant(7):
            for n in range(calls):
                task.enqueue(a=n, b="two", c=None)

    def together() -> None:
        with tenant(7):
            enqueue_many(task, [{"a": n, "b": "two", "c": None} for n in range(calls)])

    def attempts() -> None:
        run_one, _ = watched.runners("maintenance")
        for _ in range(calls):
            current = run.begin(assignment)
            current.trace = told
            run_one(current)

    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for n in range(rounds):
        for do in (one_by_one, together, attempts):
            spent = {}
            for tracing_by in (None, SET_UP) if n % 2 else (SET_UP, None):
                with override_settings(YOUTILITY_TASKS={"allow_unsafe_database": True, "tracing": tracing_by}):
                    tracing.begin("task")
                    spent[tracing_by] = _spent(do, calls)
            found.setdefault(do.__name__, []).append((*spent[None], *spent[SET_UP]))
            Job.objects.all().delete()
    return {name: _shown(each) for name, each in found.items()}


def does_nothing(*, a: int, b: str, c: None) -> None:
    """As fast as a job can be."""


def _spent(do: Callable[[], None], calls: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    do()
    return (time.perf_counter() - wall) / calls * 1e6, (time.process_time() - cpu) / calls * 1e6


def _shown(rounds: list[tuple[float, float, float, float]]) -> str:
    off, off_cpu, on, on_cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
    more = statistics.median(each[2] - each[0] for each in rounds)
    more_cpu = statistics.median(each[3] - each[1] for each in rounds)
    return f"{off:.1f} ({off_cpu:.1f}) without, {on:.1f} ({on_cpu:.1f}) with: {more:+.1f} ({more_cpu:+.1f}) us"


def main() -> None:
    """Print what was measured."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=11)
    words.add_argument("--calls", type=int, default=1_000)
    given = words.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "youtility_tasks.standalone.settings")
    django.setup()
    print(json.dumps(measure(rounds=given.rounds, calls=given.calls), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
