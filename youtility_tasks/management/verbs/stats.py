"""`stats`: the queues now, and what ended in the last hour."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import metrics
from youtility_tasks.metrics import Performance, QueueNumbers

from . import arguments
from .answer import Answer, instant, span, span_ms, table
from .scope import Scope

NAME = "stats"
SCOPE = Scope.CHOSEN
HELP = "Show the queues now, and what ended in the last hour."


def add_arguments(parser: CommandParser) -> None:
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    numbers = metrics.queue_numbers(tenant_id=options.tenant)
    lately = metrics.performance(tenant_id=options.tenant)
    if options.tenant is not None and not any(each.attempt_count for each in lately):
        arguments.explain_nothing(options)
    by_queue = {each.queue_name: each for each in lately if each.task_name is None}
    tasks = [each for each in lately if each.task_name is not None]
    document = {
        "at": instant(metrics.database_clock()),
        "tenant": options.tenant,
        "queues": [{**_now(each), "last_hour": _hour(by_queue.get(each.queue_name))} for each in numbers],
        "last_hour": _hour(by_queue.get(None)),
        "tasks": [{"task": each.task_name, "queue": each.queue_name, "last_hour": _hour(each)} for each in tasks],
    }
    page = [
        table(
            ("queue", "todo", "doing", "scheduled", "failed", "oldest waits", "ended in 1 h", "wait p95", "run p95"),
            [_queue_row(each, by_queue.get(each.queue_name)) for each in numbers],
            empty="No queue is configured.",
        ),
        table(
            ("task", "queue", "ended in 1 h", "succeeded", "retried", "failed", "wait p50", "p95", "run p50", "p95"),
            [
                (
                    each.task_name,
                    each.queue_name,
                    each.attempt_count,
                    each.succeeded_count,
                    each.retried_count,
                    each.failed_count,
                    *map(span_ms, (each.wait_p50_ms, each.wait_p95_ms, each.run_p50_ms, each.run_p95_ms)),
                )
                for each in tasks
            ],
            empty="No attempt ended in the last hour.",
        ),
    ]
    return Answer(document, page)


def _now(numbers: QueueNumbers) -> dict[str, Any]:
    return {
        "queue": numbers.queue_name,
        "todo": numbers.todo,
        "doing": numbers.doing,
        "scheduled": numbers.scheduled,
        "failed": numbers.failed,
        "oldest_seconds": round(numbers.oldest_s, 3),
    }


def _hour(lately: Performance | None) -> dict[str, Any]:
    return {
        "attempts": lately.attempt_count if lately else 0,
        "succeeded": lately.succeeded_count if lately else 0,
        "retried": lately.retried_count if lately else 0,
        "failed": lately.failed_count if lately else 0,
        "wait_p50_ms": lately.wait_p50_ms if lately else None,
        "wait_p95_ms": lately.wait_p95_ms if lately else None,
        "run_p50_ms": lately.run_p50_ms if lately else None,
        "run_p95_ms": lately.run_p95_ms if lately else None,
    }


def _queue_row(numbers: QueueNumbers, lately: Performance | None) -> tuple[object, ...]:
    return (
        numbers.queue_name,
        numbers.todo,
        numbers.doing,
        numbers.scheduled,
        numbers.failed,
        span(numbers.oldest_s) if numbers.todo else "",
        lately.attempt_count if lately else 0,
        span_ms(lately.wait_p95_ms) if lately else "",
        span_ms(lately.run_p95_ms) if lately else "",
    )
