"""`migrate_celery_beat`: Beat's schedules become ours, each in one transaction, while Beat runs; and back."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from youtility_tasks import audit, metrics
from youtility_tasks.errors import YoutilityTaskError
from youtility_tasks.management import printing
from youtility_tasks.management.verbs import arguments
from youtility_tasks.management.verbs.answer import REFUSED
from youtility_tasks.models import BridgeSchedule

_WORDS = {
    "make": ("would be ours", "ours now"),
    "change": ("would follow Beat's edit", "followed Beat's edit"),
    "same": ("ours already", "ours already"),
    "left": ("LEFT", "LEFT"),
    "refused": ("REFUSED", "REFUSED"),
    "over": ("over, nothing to do", "over, nothing to do"),
    "waits": ("WAITS", "WAITS"),
    "gone": ("gone from Beat", "gone from Beat"),
    "of celery": ("left to Celery", "left to Celery"),
    "back": ("would be Beat's again", "Beat's again"),
}
_LONGEST_SLEEP_S = 5
"""Of a Beat that looks into tables, by default."""
_ACTOR = "migrate_celery_beat"


class Command(BaseCommand):
    help = (
        "Make Beat's schedules ours: those of django-celery-beat's tables and of `beat_schedule`. A row is disabled there and begun here in one "
        "transaction; Beat may run meanwhile. Run again it changes nothing, follows what was edited in Beat, and leaves what was edited here. "
        "Exit status: 0 all that fires is ours, 1 something was refused or waits (the rest is done), 2 bad usage."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing, and show what would change")
        parser.add_argument("--celery-app", metavar="APP", help="as `celery -A` takes it (default: the project's)")
        parser.add_argument(
            "--tenant",
            type=arguments.tenant_id,
            metavar="N",
            help="whose a task of one tenant is, where nothing else says",
        )
        parser.add_argument(
            "--tenant-resolver",
            metavar="PATH",
            help="a function (task_name, args, kwargs) that gives the tenant, or None",
        )
        parser.add_argument(
            "--beat-stopped-at", type=arguments.aware, metavar="INSTANT",
            help="Beat has fired what was due up to then and is stopped: for schedules of the settings, and for a Beat that was killed",
        )  # fmt: skip
        parser.add_argument(
            "--beat-file",
            metavar="PATH",
            help="of a Beat without tables that is stopped: its celerybeat-schedule, which says when it fired what",
        )
        parser.add_argument(
            "--beat-wait",
            type=float,
            default=None,
            metavar="SECONDS",
            help="how long a Beat may take to answer (default: its longest sleep and 7 s; 0: none runs)",
        )
        parser.add_argument(
            "--back", nargs="*", metavar="NAME", help="give these schedules back to Beat (none named: all)"
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        words = Namespace(**options)
        try:
            with audit.acting(f"{_ACTOR} ({audit.actor()})"):
                document = _back(words) if words.back is not None else _move(words)
        except YoutilityTaskError as error:
            document = {"ok": False, "error": {"type": type(error).__name__, "message": str(error)}}
        if words.as_json:
            printing.as_json(self.stdout, document)
        else:
            printing.as_page(self.stdout, list(_lines(document)))
        if not document["ok"]:
            sys.exit(REFUSED)


def _move(words: Namespace) -> dict[str, Any]:
    from youtility_tasks.celery_bridge import sources

    app = sources.celery_app(words.celery_app)  # before what follows, which needs its package
    from youtility_tasks.celery_bridge import beat, beat_file, handover

    last_runs = beat_file.last_runs(words.beat_file) if words.beat_file else {}
    tenants = sources.Tenants.of(words.tenant, words.tenant_resolver)

    def read(moved: dict[str, BridgeSchedule]) -> list[beat.Entry]:
        return beat.entries(
            app,
            tenants,
            metrics.database_clock(),
            last_runs=last_runs,
            beat_stopped_at=words.beat_stopped_at,
            moved=moved,
        )

    answered = None
    if words.dry_run:
        steps = handover.plan(read, metrics.database_clock())
    else:
        steps, answered = handover.hand_over(read, metrics.database_clock(), beat_wait_s=_wait_s(words, app))
    return _document(steps, is_dry_run=words.dry_run, beat_answered=answered)


def _wait_s(words: Namespace, app: Any) -> float:
    return float(
        (app.conf.beat_max_loop_interval or _LONGEST_SLEEP_S) + 7 if words.beat_wait is None else words.beat_wait
    )


def _back(words: Namespace) -> dict[str, Any]:
    from youtility_tasks.celery_bridge import handover

    return _document(
        handover.give_back(words.back or None, dry_run=words.dry_run), is_dry_run=words.dry_run, beat_answered=None
    )


def _document(steps: list[Any], *, is_dry_run: bool, beat_answered: bool | None) -> dict[str, Any]:
    listed = [
        {
            "name": each.entry.name,
            "source": str(each.entry.source),
            "tenant": each.entry.tenant_id,
            "task": each.entry.task_name,
            "outcome": each.outcome,
            "why": each.why,
            "notes": list(each.notes),
            "changes": {word: list(values) for word, values in each.changes.items()},
        }
        for each in steps
    ]
    counts = Counter(each["outcome"] for each in listed)
    is_ok = not (counts["refused"] or counts["waits"] or counts["left"])
    return {
        "ok": is_ok,
        "is_dry_run": is_dry_run,
        "beat_answered": beat_answered,
        "counts": dict(counts),
        "schedules": listed,
    }


def _lines(document: dict[str, Any]) -> Iterator[str]:
    if "error" in document:
        yield document["error"]["message"]
        return
    for each in document["schedules"]:
        whose = f" (tenant {each['tenant']})" if each["tenant"] else ""
        said = _WORDS[each["outcome"]][0 if document["is_dry_run"] else 1]
        yield f"{each['name']}{whose}: {said}{': ' if each['why'] else ''}{each['why']}"
        if each["outcome"] in ("make", "change", "left"):
            for word, (before, after) in each["changes"].items():
                yield (
                    f"    {word}: {_shown(before)}{_shown(after)}"
                    if before is None
                    else f"    {word}: {_shown(before)} -> {_shown(after)}"
                )
        yield from (f"    note: {note}" for note in each["notes"])
    if document["beat_answered"] is not None:
        yield (
            "Beat runs, had written down what it fired, and fires these no more."
            if document["beat_answered"]
            else "No Beat answered: what its tables say was taken for all that it has fired. If it was killed, compare with its log, and see --beat-stopped-at."
        )
    counts = document["counts"]
    if document["is_dry_run"]:
        yield f"Nothing was changed. {_counted(counts) or 'Beat has no schedule.'}"
    else:
        yield _counted(counts) or "Beat has no schedule."


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
