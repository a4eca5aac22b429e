"""`adopt`: what waits in Celery's Redis becomes jobs of ours."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.celery_bridge import adopt, sources
from youtility_tasks.management.verbs import arguments
from youtility_tasks.management.verbs.answer import OK, REFUSED, Answer, table
from youtility_tasks.management.verbs.scope import Scope

NAME = "adopt"
SCOPE = Scope.ITS_OWN
HELP = (
    "Take over what waits in Celery's Redis: queues with their priorities, calls that wait for their time, and what workers that are gone had fetched. "
    "Each message becomes one job, whenever this is killed; run it again then. It is refused while a worker of Celery's consumes one of the queues. "
    "What could not run here as it is meant (pickle, canvas, tasks that nobody knows here) stays in Redis, and is told. Exit status: 0 nothing is "
    "left, 1 something is, or it was refused."
)
EXAMPLES = (
    "adopt --dry-run",
    "adopt --queues celery mail --tenant 7",
    "adopt --tasks send_ticket_email",
)


def add_arguments(parser: CommandParser) -> None:
    """The words of this verb."""
    parser.add_argument(
        "--dry-run", action="store_true", help="change nothing, and show what would be taken and what would stay"
    )
    parser.add_argument(
        "--queues", nargs="+", metavar="QUEUE", help="these queues of Celery's (default: all that it has)"
    )
    parser.add_argument(
        "--tasks", nargs="+", metavar="TASK", help="only calls of these tasks (default: all that are known here)"
    )
    parser.add_argument("--celery-app", metavar="APP", help="as `celery -A` takes it (default: the project's)")
    parser.add_argument(
        "--tenant", type=arguments.tenant_id, metavar="N", help="whose a call is where nothing else says"
    )
    parser.add_argument(
        "--tenant-resolver", metavar="PATH", help="a function (task_name, args, kwargs) that gives the tenant, or None"
    )
    parser.add_argument(
        "--ignore-client",
        nargs="+",
        default=(),
        metavar="ADDRESS",
        help="connections that wait on lists of this Redis and are no worker",
    )


def run(options: Namespace) -> Answer:
    """Take them over."""
    done = adopt.adopt(
        sources.celery_app(options.celery_app),
        sources.Tenants.of(options.tenant, options.tenant_resolver),
        queues=options.queues,
        tasks=options.tasks,
        dry_run=options.dry_run,
        ignore_clients=options.ignore_client,
    )
    document = {
        "ok": not done.reasons,
        "is_dry_run": options.dry_run,
        "queues": done.queues,
        "workers": done.consumers.busy if done.consumers else {},
        "jobs": dict(done.jobs),
        "already": done.already,
        "left": [{"task": task, "why": why, "count": count} for task, why, count in adopt.by_reason(done)],
        "messages_left": [
            {"queue": each.queue, "task": each.task_name, "id": each.celery_id, "why": each.why} for each in done.left
        ],
        "headers_lost": dict(done.lost_headers),
    }
    taken = "would become jobs" if options.dry_run else "are jobs now"
    page = [
        table(
            ("task", taken),
            sorted(done.jobs.items()),
            empty=f"Nothing {taken.replace('are', 'is').replace('jobs', 'a job')}.",
        ),
        table(
            ("task", "stays in Redis because", "messages"), list(adopt.by_reason(done)), empty="Nothing stays in Redis."
        ),
    ]
    if done.already:
        page.append(f"{done.already} more were jobs already, and were taken out.")
    if done.consumers and done.consumers.busy:
        page.append(
            f"Celery's workers live: {', '.join(sorted(done.consumers.busy))}. Stop them before you take over what they consume."
        )
    return Answer(document, page, REFUSED if done.reasons else OK)
