"""`cleanup`: remove what is past its retention."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import metrics
from youtility_tasks.conf import settings
from youtility_tasks.status import Outcome
from youtility_tasks.upkeep import prune
from youtility_tasks.upkeep.prune import Removed

from . import arguments
from .answer import Answer, table
from .scope import Scope

NAME = "cleanup"
SCOPE = Scope.OPERATOR
HELP = (
    "Remove history past its retention, and what stock workers left in the queue; dead letters and their attempts stay."
)
EXAMPLES = (
    "cleanup --dry-run",
    "cleanup --older-than 30 --outcome succeeded",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    parser.add_argument(
        "--older-than",
        type=arguments.days,
        metavar="DAYS",
        help="keep so many whole UTC days before today, of everything (default: the settings' retention)",
    )
    parser.add_argument("--outcome", choices=[each.value for each in Outcome], help="only attempts that ended so")
    parser.add_argument("--task", metavar="TASK", help="only attempts of this task")
    arguments.add_tenant(parser, help="only attempts of this tenant")


def run(options: Namespace) -> Answer:
    scope = prune.Scope(
        keep_days=options.older_than,
        outcome=Outcome(options.outcome) if options.outcome else None,
        task_name=options.task,
        tenant_id=options.tenant,
    )
    now = metrics.database_clock()
    removed = prune.would_remove(now, scope) if options.dry_run else prune.remove_old(now, scope)
    if not removed.count:
        arguments.explain_nothing(options)
    by_outcome = Counter(removed.attempts)
    for each in removed.days.values():
        by_outcome.update(each)
    document = {
        "dry_run": options.dry_run,
        "kept_days": settings().history_retention_days if options.older_than is None else options.older_than,
        "retention": scope.retention(),
        "attempts": removed.attempt_count,
        "attempts_by_outcome": dict(sorted(by_outcome.items())),
        "partitions": [
            {"day": day.isoformat(), "attempts": sum(counts.values()), "by_outcome": counts}
            for day, counts in sorted(removed.days.items())
        ],
        "jobs": sum(removed.jobs.values()),
        "jobs_by_status": removed.jobs,
        "workers": sum(removed.workers.values()),
        "postponed": [day.isoformat() for day in removed.postponed],
    }
    verb = "Would remove" if options.dry_run else "Removed"
    summary = (
        f"{verb} {removed.attempt_count} attempts, {len(removed.days)} of their days whole; "
        f"{document['jobs']} jobs that a stock worker left; {document['workers']} worker processes that are gone."
    )
    problems = [f"The history of {day} is in use; run it again." for day in removed.postponed]
    return Answer(document, [_table(removed), summary], problems=problems)


def _table(removed: Removed) -> RenderableType:
    rows: list[tuple[object, ...]] = [
        ("day, dropped whole", day, name, count)
        for day, counts in sorted(removed.days.items())
        for name, count in (counts or {"": 0}).items()
    ]
    rows += [("attempts", "", name, count) for name, count in removed.attempts.items()]
    rows += [("jobs of stock workers", "", name, count) for name, count in removed.jobs.items()]
    rows += [("worker processes", "", name, count) for name, count in removed.workers.items()]
    return table(("what", "day", "outcome", "rows"), rows, empty="Nothing is past its retention.")
