"""`tasks`: what is registered, and what each task declares; of one also how it has gone lately."""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import history, metrics, registry, schedules
from youtility_tasks.declaration import Task
from youtility_tasks.documents import queues as documents
from youtility_tasks.documents import schedules as schedule_documents
from youtility_tasks.documents.jobs import readable
from youtility_tasks.documents.plain import first_line, instant
from youtility_tasks.errors import Refused, did_you_mean
from youtility_tasks.metrics import Summary
from youtility_tasks.models import TaskExecutionHistory

from . import arguments, scope
from .answer import Answer, BadUsage, span, span_ms, table
from .scope import Scope

NAME = "tasks"
SCOPE = Scope.ITS_OWN
HELP = "List the registered tasks and what each declares; of one that is named also when it runs, and how it has gone lately."
EXAMPLES = (
    "tasks --queue email",
    "tasks send_ticket_email --tenant 7",
    "tasks send_ticket_email --last 7d --all-tenants --json",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("name", nargs="?", type=arguments.words, metavar="NAME", help="one task")
    parser.add_argument("--queue", metavar="QUEUE", help="list: only of this queue")
    parser.add_argument(
        "--last", type=arguments.span_s, metavar="SPAN", help="NAME: how it went in so long: 15m, 2h, 3d (default: 1d)"
    )
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    if options.name is None:
        if options.last is not None or options.tenant is not None or options.all_tenants:
            raise BadUsage(
                "--last, --tenant and --all-tenants go with one task: tasks NAME [--last SPAN] [--tenant N]."
            )
        return _list(options)
    if options.queue is not None:
        raise BadUsage("Give the task's name, or --queue, not both.")
    declared = registry.find(options.name)
    if declared is None:
        raise Refused(
            f"No task is called {options.name!r}.{did_you_mean(options.name, registry.registered())} "
            "`manage_task_queue tasks` lists them all."
        )
    with scope.entered(Scope.CHOSEN, options), arguments.in_tenant(options):
        return _show(declared, options.tenant, options.last or _DAY_S)


_DAY_S = 86_400.0


def _list(options: Namespace) -> Answer:
    found = [each for each in registry.registered().values() if options.queue in (None, each.queue_name)]
    if not found:
        arguments.explain_nothing(options)
    rows = [
        (
            each.name if each.is_built else f"{each.name} (not built yet)",
            each.queue_name,
            each.priority,
            span(each.timeout_s),
            each.max_attempts,
            each.schedule,
            "all" if each.tenant == "all" else "one",
            each.seed_class,
        )
        for each in found
    ]
    headings = ("task", "queue", "priority", "timeout", "attempts", "schedule (UTC)", "tenants", "class")
    return Answer(
        {"tasks": [documents.task(each) for each in found]}, [table(headings, rows, empty="No task is registered.")]
    )


def _show(declared: Task, tenant_id: int | None, seconds: float) -> Answer:
    names = [declared.name, *declared.aliases]
    now = metrics.database_clock()
    lately = metrics.summary(
        since=now - timedelta(seconds=seconds), until=now, tenant_id=tenant_id, task_name=declared.name
    )[0]
    failed = history.last_failure(names, tenant_id=tenant_id)
    its = [each for each in schedules.listing(all_tenants=tenant_id is None) if each.task_name in names]
    document = {
        "task": {**documents.task(declared), "doc": declared.func.__doc__ or ""},
        "lately": {"seconds": seconds, "success_rate": _success(lately), **documents.hour(lately)},
        "last_error": _error(failed),
        "schedules": [schedule_documents.schedule(each, now) for each in its],
    }
    facts = [(name, _said(value)) for name, value in documents.task(declared).items() if value not in (None, "", [])]
    rate = _success(lately)
    gone = (
        lately.attempt_count,
        "" if rate is None else f"{100 * rate:.1f} %",
        lately.retried_count,
        lately.failed_count,
        *map(span_ms, (lately.wait_p50_ms, lately.wait_p95_ms, lately.run_p50_ms, lately.run_p95_ms)),
    )
    headings = (f"ended in {span(seconds)}", "succeeded", "retried", "failed", "wait p50", "p95", "run p50", "p95")
    page: list[RenderableType] = [table(("task", ""), facts, empty=""), table(headings, [gone], empty="")]
    if its:
        rows = [(each.name, each.tenant_id or "sweeps", each.next_at or "never") for each in its]
        page.append(table(("schedule", "tenant", "next (UTC)"), rows, empty=""))
    said = "It has not failed, as far as the history reaches."
    if failed is not None:
        message = readable(failed, "error_message") or ""
        error = ": ".join(filter(None, [failed.error_class.rpartition(".")[2], first_line(message, 200)]))
        said = f"It failed last {failed.finished_at:%Y-%m-%d %H:%M:%SZ}, job {failed.job_id}: {error or failed.outcome}"
    return Answer(document, [*page, said])


def _success(lately: Summary) -> float | None:
    return lately.succeeded_count / lately.attempt_count if lately.attempt_count else None


def _error(failed: TaskExecutionHistory | None) -> dict[str, Any] | None:
    if failed is None:
        return None
    return {
        "job": failed.job_id,
        "at": instant(failed.finished_at),
        "outcome": failed.outcome,
        "error_class": failed.error_class,
        "error_message": readable(failed, "error_message"),
        "is_final": failed.is_final,
    }


def _said(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
