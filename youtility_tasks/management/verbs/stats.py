"""`stats`: the queues now, and what ended in the last hour or another span."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import metrics
from youtility_tasks.documents import numbers as number_documents
from youtility_tasks.documents import queues as documents
from youtility_tasks.metrics import QueueNumbers, Summary

from . import arguments
from .answer import Answer, span, span_ms, table
from .scope import Scope

NAME = "stats"
SCOPE = Scope.CHOSEN
HELP = "Show the queues now, and what ended in the last hour; with --since or --by, what ended since then, told apart by it."
EXAMPLES = (
    "stats --tenant 7",
    "stats --all-tenants --json",
    "stats --watch 5                          # until Ctrl-C",
)
CAN_WATCH = True


def add_arguments(parser: CommandParser) -> None:
    arguments.add_tenant_or_all(parser)
    parser.add_argument(
        "--since",
        type=arguments.moment,
        metavar="WHEN",
        help="what ended since then: 15m, 24h, 7d or an instant; 1h unless given",
    )
    parser.add_argument(
        "--by", choices=metrics.GROUPS, help="a row for each of these; a task on two queues has two; task unless given"
    )


def run(options: Namespace) -> Answer:
    numbers = metrics.queue_numbers(tenant_id=options.tenant)
    whole, by_queue, by_task = metrics.last_hour(tenant_id=options.tenant)
    now = metrics.database_clock()
    document = documents.stats(now, options.tenant, numbers, whole, by_queue, by_task)
    queues = table(
        ("queue", "todo", "doing", "scheduled", "failed", "oldest waits", "attempts in 1 h", "wait p95", "run p95"),
        [_queue_row(each, by_queue.get(each.queue_name)) for each in numbers],
        empty="No queue is configured.",
    )
    if options.since is None and options.by is None:
        if options.tenant is not None and not whole.attempt_count:
            arguments.explain_nothing(options)
        head = (
            "task",
            "queue",
            "attempts in 1 h",
            "succeeded",
            "retried",
            "failed",
            "wait p50",
            "p95",
            "run p50",
            "p95",
        )
        ended = table(
            head,
            [(each.task_name, each.queue_name, *_cells(each)) for each in by_task],
            empty="No attempt ended in the last hour.",
        )
        return Answer(document, [queues, ended])
    by: metrics.GroupBy = options.by or "task"
    since = arguments.since(options) or now - metrics.HOUR
    rows = metrics.summary(since=since, until=now, by=by, tenant_id=options.tenant)
    if options.tenant is not None and not rows:
        arguments.explain_nothing(options)
    document["ended"] = number_documents.summary(since, now, by, rows)
    names = ("task", "queue") if by == "task" else (by,)
    ended = table(
        (*names, "ended", "succeeded", "retried", "failed", "wait p50", "p95", "run p50", "p95"),
        [(*_names(each, by), *_cells(each)) for each in rows],
        empty=f"No attempt ended since {since:%Y-%m-%d %H:%M:%S %Z}.",
    )
    return Answer(document, [queues, ended])


def _names(each: Summary, by: str) -> tuple[object, ...]:
    named = {"queue": each.queue_name, "tenant": each.tenant_id, "outcome": each.outcome}
    return (each.task_name, each.queue_name) if by == "task" else (named[by],)


def _cells(each: Summary) -> tuple[object, ...]:
    return (
        each.counts.get(each.outcome, 0) if each.outcome else each.attempt_count,
        each.succeeded_count,
        each.retried_count,
        each.failed_count,
        *map(span_ms, (each.wait_p50_ms, each.wait_p95_ms, each.run_p50_ms, each.run_p95_ms)),
    )


def _queue_row(numbers: QueueNumbers, lately: Summary | None) -> tuple[object, ...]:
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
