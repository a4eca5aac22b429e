"""`results`: what django-celery-results has kept becomes history of ours."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import metrics
from youtility_tasks.celery_bridge import past_results, sources
from youtility_tasks.management.verbs import arguments
from youtility_tasks.management.verbs.answer import Answer, table
from youtility_tasks.management.verbs.scope import Scope

NAME = "results"
SCOPE = Scope.ITS_OWN
HELP = (
    "Enter what Celery has done (the rows of django-celery-results that have ended) into the history, each once; `AsyncResult` finds it by its Celery "
    "id. Run it again for what has ended since."
)
EXAMPLES = ("results --dry-run", "results --tenant 7 --since 2026-11-01T00:00Z")


def add_arguments(parser: CommandParser) -> None:
    """The words of this verb."""
    parser.add_argument("--dry-run", action="store_true", help="enter nothing, and count")
    parser.add_argument("--since", type=arguments.aware, metavar="INSTANT", help="only what ended since then")
    parser.add_argument(
        "--tenant", type=arguments.tenant_id, metavar="N", help="whose a result is where nothing else says"
    )
    parser.add_argument(
        "--tenant-resolver", metavar="PATH", help="a function (task_name, args, kwargs) that gives the tenant, or None"
    )


def run(options: Namespace) -> Answer:
    """Enter them."""
    done = past_results.import_results(
        sources.Tenants.of(options.tenant, options.tenant_resolver),
        metrics.database_clock(),
        since=options.since,
        dry_run=options.dry_run,
    )
    counted = sorted((task, state, count) for (task, state), count in done.entered.items())
    document = {
        "ok": True,
        "is_dry_run": options.dry_run,
        "entered": [{"task": task, "state": state, "count": count} for task, state, count in counted],
        "already": done.already,
        "passed_over": dict(done.passed_over),
        "days_made": done.days,
    }
    word = "would be entered" if options.dry_run else "entered"
    page = [
        table(
            ("task", "state", word),
            counted,
            empty=f"Nothing {'is to be entered' if options.dry_run else 'was entered'}.",
        ),
        table(("passed over because", "results"), sorted(done.passed_over.items()), empty="None was passed over."),
        f"{done.already} were in the history already.",
    ]
    return Answer(document, page)
