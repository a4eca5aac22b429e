"""`cleanup`: remove what is past its retention."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser
from rich.console import RenderableType

from youtility_tasks import metrics
from youtility_tasks.documents import installation as documents
from youtility_tasks.status import Outcome
from youtility_tasks.upkeep import prune, rollup
from youtility_tasks.upkeep.prune import Removed

from . import arguments
from .answer import Answer, table
from .scope import Scope

NAME = "cleanup"
SCOPE = Scope.OPERATOR
HELP = (
    "Remove history, redrives and numbers past their retention, and what stock workers left in the queue; dead letters and their "
    "attempts stay."
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
        help="keep so many whole UTC days of the history before today (default: the settings' retention); numbers go by the settings",
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
    numbers = rollup.prune(now, dry_run=True) if scope.is_all else {}
    if not options.dry_run and numbers:
        rollup.remove_old(now, most_calls=sum(numbers.values()))
    if not removed.count and not numbers:
        arguments.explain_nothing(options)
    document = {
        **documents.removed(removed, scope, dry_run=options.dry_run),
        "minutes": numbers.get("minutes", 0),
        "hours": numbers.get("hours", 0),
    }
    verb = "Would remove" if options.dry_run else "Removed"
    summary = (
        f"{verb} {removed.attempt_count} attempts, {len(removed.days)} of their days whole; "
        f"{document['jobs']} jobs that a stock worker left; {document['workers']} worker processes that are gone; "
        f"{removed.redrives} redrives; numbers of {document['minutes']} minutes and {document['hours']} hours."
    )
    problems = [f"The history of {day} is in use; run it again." for day in removed.postponed]
    return Answer(document, [_table(removed, numbers), summary], problems=problems)


def _table(removed: Removed, numbers: dict[str, int]) -> RenderableType:
    rows: list[tuple[object, ...]] = [
        ("day, dropped whole", day, name, count)
        for day, counts in sorted(removed.days.items())
        for name, count in (counts or {"": 0}).items()
    ]
    rows += [("attempts", "", name, count) for name, count in removed.attempts.items()]
    rows += [("jobs of stock workers", "", name, count) for name, count in removed.jobs.items()]
    rows += [("worker processes", "", name, count) for name, count in removed.workers.items()]
    rows += [("redrives", "", "", removed.redrives)] if removed.redrives else []
    rows += [(f"numbers by {name}", "", "", count) for name, count in numbers.items()]
    return table(("what", "day", "outcome", "rows"), rows, empty="Nothing is past its retention.")
