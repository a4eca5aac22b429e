"""`verify`: the move itself, proven on databases and processes of its own."""

from __future__ import annotations

import secrets
import sys
import time
from argparse import Namespace

from django.core.management.base import CommandParser

from youtility_tasks.errors import Refused
from youtility_tasks.management import words as numbers
from youtility_tasks.management.ending import terminable
from youtility_tasks.management.verbs.answer import REFUSED, Answer
from youtility_tasks.management.verbs.scope import Scope

NAME = "verify"
SCOPE = Scope.ITS_OWN
HELP = (
    "Cut every task over from a real Celery to ours in four waves, under load, with three rollbacks, while Celery's worker, ours and Redis are killed; hand Beat over; "
    "and count every effect in an independent ledger: 0 lost, 0 double, no tick fired twice or missed. On a database, a Redis and processes of its own: your project's are "
    "not touched. Exit status: 0 all holds, 1 something does not, or it could not be played."
)
EXAMPLES = ("verify", "verify --minutes 10 --seed 7", "verify --json")


def add_arguments(parser: CommandParser) -> None:
    """The words of this verb."""
    parser.add_argument(
        "--minutes",
        type=numbers.positive(10_000),
        default=0.5,
        metavar="M",
        help="how long the waves take (default: 0.5)",
    )
    parser.add_argument("--seed", type=numbers.seed, default=None, metavar="N", help="the same order of calls again")


def run(options: Namespace) -> Answer:
    """Play, and judge."""
    from youtility_tasks.celery_bridge import extra

    extra.must_be_there()
    from youtility_tasks.verify.bridge import cast, verdict
    from youtility_tasks.verify.bridge import run as runs
    from youtility_tasks.verify.crew import NotInTime

    cast.redis_server()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    began = time.monotonic()
    sys.stderr.write(f"seed {seed}\n")
    try:
        with terminable(), runs.databases() as (database, ledger):
            evidence = runs.play(runs.Script(seed=seed, minutes=options.minutes), database, ledger)
    except NotInTime as error:
        raise Refused(f"Nothing can be said: {error}") from error
    checks = verdict.check(evidence)
    ok = all(each.ok for each in checks)
    lines = [
        f"{'ok    ' if each.ok else 'BROKEN'} {each.name} ({each.expected}): {each.got}"
        + "".join(f"\n       {one.key}: {one.what}" for one in each.violations)
        for each in checks
    ]
    end = f"{'The move holds' if ok else 'Broken'}: seed {seed}, {len(checks)} checks in {time.monotonic() - began:.0f} s."
    return Answer(
        {"ok": ok, "seed": seed, "checks": [each.as_json() for each in checks]}, [*lines, end], 0 if ok else REFUSED
    )
