"""`verify_task_queue`: injure the queue in every known way, and prove from an independent ledger that nothing was lost."""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from youtility_tasks.management import printing, words
from youtility_tasks.management.ending import terminable
from youtility_tasks.verify import tiers
from youtility_tasks.verify.case import Check
from youtility_tasks.verify.entries import Evidence


class Command(BaseCommand):
    help = (
        "Run the queue on databases of its own, kill, freeze and cut off its parts, drain it, and compare an independent "
        "ledger with the queue's tables. Exit status: 0 all invariants hold, 1 one is broken, 2 bad usage."
    )
    requires_system_checks = ()  # it uses nothing of this project, and none of its databases

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tier",
            choices=tuple(tiers.TIERS),
            default="short",
            help="interleavings: every order of a few sessions' statements; short (default): that and one run with four "
            "faults; faults: one fault at a time, and every failpoint; soak: everything for --minutes; hosts: three "
            "hosts with workers, one cut off, one dead, and a failover to a synchronous standby (root only)",
        )
        parser.add_argument(
            "--seed", type=words.seed, default=None, metavar="N", help="plans the same jobs and faults again"
        )
        parser.add_argument(
            "--minutes",
            type=words.positive(10_000),
            default=20.0,
            metavar="N",
            help="length of the soak (default 20)",
        )
        parser.add_argument("--judge", type=Path, metavar="FILE", help="judge the evidence that a failed run kept")
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        seed = secrets.randbelow(1_000_000) if options["seed"] is None else options["seed"]
        began = time.monotonic()
        with terminable():
            checks = self._checks(seed, options)
        ok = bool(checks) and all(check.ok for check in checks)
        if options["as_json"]:
            document = {"ok": ok, "seed": seed, "tier": options["tier"], "checks": [each.as_json() for each in checks]}
            printing.as_json(self.stdout, document)
        else:
            lines = [_line(each) for each in checks]
            took = time.monotonic() - began
            verdict = f"{'All invariants hold' if ok else 'Broken'}: seed {seed}, {len(checks)} checks in {took:.0f} s."
            printing.as_page(self.stdout, [*lines, verdict])
        if not ok:
            sys.exit(1)

    def _checks(self, seed: int, options: dict[str, Any]) -> list[Check]:
        tell = self.stderr.write
        if options["judge"] is not None:
            return tiers.judged(_evidence(options["judge"]), "judged", tell)
        tell(f"seed {seed}")
        if options["tier"] == "soak":
            return tiers.soak(seed, tell, minutes=options["minutes"])
        return tiers.TIERS[options["tier"]](seed, tell)


def _evidence(path: Path) -> Evidence:
    try:
        return Evidence.load(path)
    except OSError as error:
        raise CommandError(f"The evidence cannot be read: {error}.") from error
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise CommandError(
            f"{str(path)!r} holds no evidence ({type(error).__name__}: {error}); right is a file that a failed run has named."
        ) from error


def _line(check: Check) -> str:
    broken = "".join(f"\n       {each.key}: {each.what}" for each in check.violations)
    return f"{'ok   ' if check.ok else 'BROKEN'} {check.name} ({check.expected}): {check.got}{broken}"
