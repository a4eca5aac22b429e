"""`monitor`: all of it on one screen, refreshed; acts by keys."""

from __future__ import annotations

import contextlib
from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import monitor
from youtility_tasks.tenants import tenant

from . import arguments
from .answer import Answer, table
from .scope import Scope

NAME = "monitor"
SCOPE = Scope.CHOSEN
HELP = "Queues, workers, jobs, failures and schedules on one screen, refreshed; keys pause, retry, cancel, discard. ? shows them."
EXAMPLES = (
    "monitor",
    "monitor --tenant 7",
    "monitor --all-tenants --interval 5",
    "monitor --json                           # one snapshot for programs",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--once", action="store_true", help="print it once, without a screen; so does --json")
    parser.add_argument(
        "--interval", type=arguments.watch_s, default=2.0, metavar="SECONDS", help="refresh so often (default: 2)"
    )
    arguments.add_tenant_or_all(parser)


def run(options: Namespace) -> Answer:
    if options.tenant is not None:
        arguments.explain_nothing(options)
    if not (options.once or options.as_json):
        monitor.run(options.tenant, interval_s=options.interval)
        return Answer({})
    with tenant(options.tenant) if options.tenant is not None else contextlib.nullcontext():
        look = monitor.desk.Desk(options.tenant).look_at_all()
    page = [table(headings, rows, empty=nothing) for headings, rows, nothing in monitor.rows.page(look)]
    return Answer(monitor.rows.document(look, options.tenant), [monitor.rows.sums(look), *page])
