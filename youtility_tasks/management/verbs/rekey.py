"""`rekey`: seal marked arguments of jobs in the queue anew under the present key."""

from __future__ import annotations

from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.tenancy import roles
from youtility_tasks.upkeep import rekey

from . import arguments
from .answer import OK, REFUSED, Answer
from .scope import Scope

NAME = "rekey"
SCOPE = Scope.ITS_OWN
HELP = (
    "Seal `Secret` and `Pii` arguments of waiting jobs, running jobs and dead letters anew under the newest of "
    "`secret_keys`, so that an older one can be taken out. It may be stopped and run again; workers may stay up."
)
EXAMPLES = (
    "rekey --dry-run",
    "rekey --limit 1000",
)


def add_arguments(parser: CommandParser) -> None:
    arguments.add_tenant(parser)
    parser.add_argument(
        "--batch",
        type=arguments.count,
        default=rekey.BATCH,
        metavar="N",
        help=f"jobs a transaction (default: {rekey.BATCH})",
    )
    parser.add_argument(
        "--limit", type=arguments.count, metavar="N", help="look at no more than so many (default: all)"
    )
    parser.add_argument("--reason", default="", help="kept in the audit log")
    parser.add_argument("--dry-run", action="store_true", help="say how many it would be, and change nothing")


def run(options: Namespace) -> Answer:
    with roles.acting(roles.MIGRATOR):  # no part may change arguments
        return _run(options)


def _run(options: Namespace) -> Answer:
    done = rekey.rekey(
        batch=options.batch,
        limit=options.limit,
        tenant_id=options.tenant,
        dry_run=options.dry_run,
        reason=options.reason,
    )
    document = {
        "ok": not done.unknown and not done.broken,
        "dry_run": options.dry_run,
        "key": done.key_id,
        "jobs": done.count,
        "jobs_by_status": dict(sorted(done.by_status.items())),
        "unknown_keys": dict(sorted(done.unknown.items())),
        "broken": done.broken,
        "is_all": done.is_all,
    }
    verb = "Would seal" if options.dry_run else "Sealed"
    by_status = ", ".join(f"{status} {n}" for status, n in sorted(done.by_status.items()))
    said = f"{verb} {done.count} jobs anew with the key {done.key_id!r}{f' ({by_status})' if by_status else ''}."
    page = [said if done.is_all else f"{said} There may be more: run it again."]
    problems = [
        f"{n} jobs were left: they need the key {key_id!r}, which YOUTILITY_TASKS['secret_keys'] does not have. Put it back, "
        "behind the newest, and run this again."
        for key_id, n in sorted(done.unknown.items())
    ]
    if done.broken:
        shown = ", ".join(map(str, done.broken[:20])) + (", ..." if len(done.broken) > 20 else "")
        problems.append(
            f"{len(done.broken)} jobs were left: their arguments do not open with the key that they name ({shown}). They were "
            "changed, or the key's id stands for another key now. Cancel or discard them, and enqueue them again."
        )
    return Answer(document, page, REFUSED if problems else OK, problems)
