"""`limits`: what is limited or paused, and limits set and cleared."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import controls
from youtility_tasks.controls import KEEP
from youtility_tasks.documents import queues as documents

from . import arguments, control_lines
from .answer import Answer, BadUsage, table
from .scope import Scope

NAME = "limits"
SCOPE = Scope.OPERATOR
HELP = "List what is limited or paused; set or clear a limit of a queue, a task, a tenant, or of what they share."
EXAMPLES = (
    "limits",
    "limits set --queue reports --tenant 7 --running 5",
    "limits set --task send_ticket_email --rate 600/min --burst 20",
    "limits clear --queue reports --tenant 7",
)


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=["list", "set", "clear"], default="list", help="default: list")
    arguments.add_target(parser)
    parser.add_argument("--running", type=arguments.running, metavar="N", help="set: so many run at once at most")
    parser.add_argument(
        "--rate", type=arguments.rate, metavar="N/UNIT", help="set: so many start at most, as 10/s, 600/min, 100/h, 5/d"
    )
    parser.add_argument(
        "--burst", type=arguments.burst, metavar="N", help="set: so many start at once after a quiet time (default: 1)"
    )
    parser.add_argument("--reason", help="set, clear: kept in the audit log")


def run(options: Namespace) -> Answer:
    given = [each is not None for each in (options.running, options.rate, options.burst)]
    match options.act:
        case "set":
            named = control_lines.named(options)
            if not any(given):
                raise BadUsage("Which limit? Give --running, --rate or both (and --burst with a rate).")
            made = controls.limit(
                **named,
                running=KEEP if options.running is None else options.running,
                rate_per_s=KEEP if options.rate is None else options.rate,
                burst=KEEP if options.burst is None else options.burst,
                reason=options.reason or "",
            )
            return control_lines.answer(made)
        case "clear" if not any(given):
            made = controls.limit(
                **control_lines.named(options), running=None, rate_per_s=None, reason=options.reason or ""
            )
            return control_lines.answer(made)
        case "list" if not any(given) and options.reason is None:
            return _list(options)
    raise BadUsage(
        "Right is: limits [--queue Q] [--task T] [--tenant N], limits set ... --running N --rate N/UNIT, or limits clear ..."
    )


def _list(options: Namespace) -> Answer:
    found = [
        each
        for each in controls.listing()
        if options.queue in (None, each.queue_name)
        and options.task in (None, each.task_name)
        and options.tenant in (None, each.tenant_id)
    ]
    if not found:
        arguments.explain_nothing(options)
    rows = [
        (
            each.queue_name or "any",
            each.task_name or "any",
            each.tenant_id or "any",
            control_lines.said(each),
            each.running_count,
            "" if each.tokens is None else f"{each.tokens:.1f}",
            control_lines.parked(each),
            each.paused_at if each.is_paused else each.changed_at,
            each.paused_by if each.is_paused else each.changed_by,
            each.reason if each.is_paused else "",
        )
        for each in found
    ]
    headings = ("queue", "task", "tenant", "what is set", "run now", "tokens", "parked", "since", "by", "why")
    page = table(headings, rows, empty="Nothing is limited or paused.")
    return Answer({"controls": [documents.control(each) for each in found]}, [page])
