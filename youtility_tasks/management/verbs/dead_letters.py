"""`dead-letters`: what has failed for good, by error; redriven at a rate, or discarded with a reason."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks import dead_letters
from youtility_tasks.dead_letters import Letters
from youtility_tasks.documents import jobs as documents
from youtility_tasks.documents import letters
from youtility_tasks.status import JobStatus

from . import act_on, arguments, job_lines, letter_lines
from .answer import Answer, BadUsage
from .scope import Scope

NAME = "dead-letters"
SCOPE = Scope.CHOSEN
HELP = "List what has failed for good, by error; redrive it at a rate, or discard it with a reason."
EXAMPLES = (
    "dead-letters --since 1d",
    "dead-letters redrive --fingerprint 0123456789abcdef --rate 50/s --dry-run",
    "dead-letters discard --task send_ticket_email --tenant 7 --reason 'site closed'",
)

ACTS = ("list", "redrive", "discard", "redrives", "resume", "stop")
_OF_ONE = {"resume", "stop"}
_FILTERS = ("queue", "task", "fingerprint", "since", "until")
_BELONGS = {
    "changes": {"redrive"},
    "rate": {"redrive"},
    "dry_run": {"redrive", "discard"},
    "reason": {"redrive", "discard", "stop"},
    "all": {"redrive", "discard"},
}


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=ACTS, default="list", help="default: list")
    parser.add_argument("id", nargs="?", type=arguments.redrive_id, metavar="ID", help="resume, stop: the redrive")
    parser.add_argument("--queue", metavar="QUEUE", help="only of this queue")
    parser.add_argument("--task", metavar="TASK", help="only of this task")
    parser.add_argument(
        "--fingerprint", type=arguments.fingerprint, metavar="F", help="only of this error, as the list names it"
    )
    span = "90s, 15m, 2h, 3d, or 2026-11-24T06:00:00Z"
    parser.add_argument("--since", type=arguments.moment, metavar="WHEN", help=f"only what failed since: {span}")
    parser.add_argument("--until", type=arguments.moment, metavar="WHEN", help=f"only what failed until: {span}")
    arguments.add_tenant_or_all(parser)
    parser.add_argument(
        "--limit", type=arguments.count, default=50, metavar="N", help="list, redrives: at most so many (default: 50)"
    )
    parser.add_argument("--all", action="store_true", help="redrive, discard: every dead letter (of the tenant)")
    parser.add_argument(
        "--rate",
        type=arguments.rate,
        metavar="RATE",
        help="redrive: let so many come due: 50/s, 600/min (default: all at once)",
    )
    arguments.add_changes(parser)
    parser.add_argument(
        "--reason", type=arguments.words, metavar="TEXT", help="kept in the audit log; discard needs one"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(options: Namespace) -> Answer:
    changes = arguments.changes(options)
    _check_usage(options)
    with arguments.in_tenant(options):
        wanted = _wanted(options)
        match options.act:
            case "list":
                return _list(options, wanted)
            case "redrives":
                return letter_lines.redrives(dead_letters.listing(options.limit))
            case "resume":
                return letter_lines.redrive(dead_letters.go_on(options.id))
            case "stop":
                return letter_lines.redrive(dead_letters.stop(options.id, options.reason or ""))
            case "discard":
                return _discard(options, wanted)
        n = dead_letters.would(wanted, changes=changes, rate_per_s=options.rate)
        _explain(options, n)
        if options.dry_run:
            return letter_lines.would("redrive", n, options.rate)
        done = dead_letters.redrive(wanted, changes=changes, rate_per_s=options.rate, reason=options.reason or "")
        return letter_lines.redrive(done)


def _check_usage(options: Namespace) -> None:
    act = options.act
    if (act in _OF_ONE) != (options.id is not None):
        raise BadUsage(f"Right is: dead-letters {act}{' ID' if act in _OF_ONE else ''}.")
    for word, right in _BELONGS.items():
        if getattr(options, word) and act not in right:
            raise BadUsage(
                f"--{word.replace('_', '-').replace('changes', 'set')} belongs to {', '.join(sorted(right))}."
            )
    named = [word for word in _FILTERS if getattr(options, word) is not None]
    if act in {"redrive", "discard"} and bool(named) == options.all:
        raise BadUsage("Which letters? Name them by --task, --queue, --fingerprint, --since or --until, or say --all.")
    if named and act in {"redrives", *_OF_ONE}:
        raise BadUsage(f"{act} takes no --{named[0]}: that is for list, redrive and discard.")
    if act == "discard" and options.reason is None and not options.dry_run:
        raise BadUsage("Why are they discarded? Give --reason TEXT.")


def _wanted(options: Namespace) -> Letters:
    return Letters(
        task_name=options.task,
        queue_name=options.queue,
        fingerprint=options.fingerprint,
        failed_since=arguments.instant_of(options, "since"),
        failed_until=arguments.instant_of(options, "until"),
    )


def _list(options: Namespace, wanted: Letters) -> Answer:
    groups = dead_letters.groups(wanted, limit=options.limit + 1)
    found, more = job_lines.find(options, [JobStatus.FAILED])
    page = letter_lines.groups(groups[: options.limit], more=len(groups) > options.limit)
    page += job_lines.page(found, more, empty="No dead letters.")
    if found:
        page.append(
            "`show ID` has the traceback; `retry ID ...` gives new attempts, `discard ID ...` removes. `dead-letters redrive "
            "--fingerprint F --rate 10/s` and `dead-letters discard --fingerprint F --reason TEXT` do so for a whole line above."
        )
    return Answer(
        {
            "groups": [letters.group(each) for each in groups[: options.limit]],
            "has_more_groups": len(groups) > options.limit,
            "dead_letters": [documents.line(line) for line in found],
            "has_more": more,
        },
        page,
    )


def _discard(options: Namespace, wanted: Letters) -> Answer:
    if options.dry_run:
        n = len(wanted.choose())
        _explain(options, n)
        return letter_lines.would("discard", n, None)
    done = dead_letters.discard(wanted, options.reason)
    _explain(options, len(done.done) + len(done.refused))
    return act_on.answer(done)


def _explain(options: Namespace, n: int) -> None:
    if not n:
        arguments.explain_nothing(options)
