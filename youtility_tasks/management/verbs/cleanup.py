"""`cleanup`: delete history past its retention."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import metrics
from youtility_tasks.conf import settings
from youtility_tasks.status import Outcome
from youtility_tasks.upkeep import prune

from . import arguments
from .answer import Answer

NAME = "cleanup"
HELP = "Delete history past its retention; the attempts of dead letters stay."


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="count, and delete nothing")
    parser.add_argument(
        "--older-than",
        type=arguments.days,
        metavar="DAYS",
        help="keep so many days (default: the setting history_retention_days)",
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
    # Worker processes belong to no task and no tenant: only a cleanup of everything forgets them.
    everything = options.task is None and options.tenant is None and options.outcome is None
    if options.dry_run:
        attempts = prune.count_prunable(now, scope)
        workers = prune.count_prunable_workers(now) if everything else 0
    else:
        attempts = prune.prune_history(now, scope)
        workers = prune.prune_workers(now) if everything else 0
    if not attempts:
        arguments.explain_nothing(options)
    kept = settings().history_retention_days if options.older_than is None else options.older_than
    verb = "Would delete" if options.dry_run else "Deleted"
    return Answer(
        {"dry_run": options.dry_run, "kept_days": kept, "attempts": attempts, "workers": workers},
        [f"{verb} {attempts} attempts older than {kept} days, and {workers} worker processes that are gone."],
    )
