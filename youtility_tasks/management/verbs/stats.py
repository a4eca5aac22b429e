"""`stats`: the queues now, and what ended in the last hour."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import metrics
from youtility_tasks.documents import queues as documents
from youtility_tasks.metrics import Performance, QueueNumbers

from . import arguments
from .answer import Answer, span, span_ms, table
from .scope import Scope

NAME = "stats"
SCOPE = Scope.CHOSEN
HELP = "Show the queues now, and what ended in the last hour."
EXAMPLES = (
    "stats --tenant 7",
    "stats --all-tenants --json",
    "stats --watch 5                          # until Ctrl-C",
)
CAN_WATCH = True


def add_arguments(parser: CommandParser) -> None:
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    numbers = metrics.queue_numbers(tenant_id=options.tenant)
    lately = metrics.performance(tenant_id=options.tenant)
    if options.tenant is not None and not any(each.attempt_count for each in lately):
        arguments.explain_nothing(options)
    by_queue = {each.queue_name: each for each in lately if each.task_name is None}
    tasks = [each for each in lately if each.task_name is not None]
    document = documents.stats(metrics.database_clock(), options.tenant, numbers, lately)
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
