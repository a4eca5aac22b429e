"""`schedule`: what is made again and again; made, changed, previewed, paused, run now, removed; and holidays."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from argparse import Namespace
from collections.abc import Iterator
from datetime import date, time
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import metrics, schedules, tenants
from youtility_tasks.conf import settings
from youtility_tasks.documents import schedules as documents
from youtility_tasks.models.schedules import Days, Missed, Overlap
from youtility_tasks.schedules import definition
from youtility_tasks.tenancy import roles

from . import arguments, schedule_lines
from .answer import Answer, BadUsage
from .scope import Scope

NAME = "schedule"
SCOPE = Scope.ITS_OWN
HELP = "List schedules; show, add, set, preview, pause, resume, run, remove one; holidays. Without --tenant: those of the sweeps."
EXAMPLES = (
    "schedule",
    "schedule show nightly --tenant 7",
    "schedule add nightly --task task_every_min --cron '0 2 * * *' --reason 'agreed'",
    "schedule preview --task task_every_min --every 90s -n 3",
    "schedule pause nightly --minutes 60",
)

ACTS = ("list", "show", "add", "set", "preview", "pause", "resume", "run", "remove", "holidays")
_NEEDS_NAME = set(ACTS) - {"list", "preview", "holidays"}
_CHANGES = {"add", "set", "preview"}


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("act", nargs="?", choices=ACTS, default="list", help="default: list")
    parser.add_argument(
        "name", nargs="?", type=arguments.words, metavar="NAME", help="the schedule's; holidays: add or remove"
    )
    parser.add_argument("day", nargs="?", type=_day, metavar="DAY", help="holidays add, remove: 2026-12-25")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument(
        "--tenant", type=arguments.tenant_id, metavar="N", help="of this tenant (default: of the sweeps)"
    )
    whose.add_argument("--all-tenants", action="store_true", help="list: of all tenants, as an operator")
    said = parser.add_argument_group("what it says (add, set, preview)")
    said.add_argument("--task", type=arguments.words, metavar="TASK", help="the task's name")
    # not `args`: that is what call_command() has of its own
    said.add_argument(
        "--args", type=_json_object, dest="json_args", metavar="JSON", help="arguments by name: '{\"id\": 7}'"
    )
    said.add_argument("--cron", metavar="CRON", help="minute hour day month weekday, on the wall clock of its zone")
    said.add_argument("--every", type=_span_s, metavar="SPAN", help="so often, by elapsed time: 90s, 15m, 2h, 1d")
    said.add_argument(
        "--at", type=arguments.aware, metavar="INSTANT", help="once; with --every: a tick from which it counts"
    )
    said.add_argument("--zone", metavar="ZONE", help="Asia/Kolkata; empty: the tenant's")
    said.add_argument(
        "--until", type=arguments.aware, metavar="INSTANT", help="no tick from then on; pause: until then"
    )
    said.add_argument("--days", choices=Days.values)
    said.add_argument("--working-weekdays", metavar="DIGITS", help="12345 is Monday to Friday (the default)")
    said.add_argument("--site", type=int, metavar="ID", help="whose holidays count beside the tenant's")
    said.add_argument(
        "--quiet", type=_quiet, metavar="FROM-TO", help="no ticks in these hours of its clock: 22:00-06:00, or none"
    )
    said.add_argument("--jitter", type=_span_s, metavar="SPAN", help="its jobs start up to so much later")
    said.add_argument(
        "--missed", type=_missed, metavar="POLICY", help=f"{', '.join(Missed.values)}; all:N for at most N"
    )
    said.add_argument("--grace", type=_span_s, metavar="SPAN", help="a tick is missed when it is older (default: 60s)")
    said.add_argument("--overlap", choices=Overlap.values)
    said.add_argument(
        "--expire", type=_span_s, metavar="SPAN", help="a job that nobody has begun so long after its tick is not run"
    )
    said.add_argument("--queue", metavar="QUEUE", help="another queue than the task's")
    said.add_argument("--priority", type=arguments.priority, metavar="1..10")
    said.add_argument("--tick-argument", metavar="NAME", help="argument that is given the tick, in seconds since 1970")
    parser.add_argument("--minutes", type=arguments.minutes, metavar="N", help="pause: for so long")
    parser.add_argument("-n", type=arguments.count, default=5, metavar="N", help="preview, show: so many (default: 5)")
    parser.add_argument("--reason", help="kept in the audit log")


def run(options: Namespace) -> Answer:
    with _whose(options):
        return _run(options)


def _run(options: Namespace) -> Answer:
    said, reason = _said(options), options.reason or ""
    act, name = options.act, options.name
    if said and act not in _CHANGES:
        raise BadUsage(f"{act} takes no {', '.join(sorted(said))}: that is for add, set and preview.")
    if (act in _NEEDS_NAME) != (name is not None) and act not in ("preview", "holidays"):
        raise BadUsage(f"Right is: schedule {act}{' NAME' if act in _NEEDS_NAME else ''}.")
    if act != "pause" and (options.minutes or (options.until and act not in _CHANGES)):
        raise BadUsage("--until and --minutes belong to pause; --until to add, set and preview, too.")
    match act:
        case "list":
            return schedule_lines.listing(schedules.listing(all_tenants=_all(options)), metrics.database_clock())
        case "holidays":
            return _holidays(options, reason)
        case "preview" if name is None:
            if "task" not in said:
                raise BadUsage(
                    "Right is: schedule preview NAME [changes], or schedule preview --task TASK --cron ... for a new one."
                )
            return schedule_lines.upcoming(schedules.preview_new(said.pop("task"), options.n, **said))
        case "preview":
            return schedule_lines.upcoming(schedules.preview(name, options.n, **said))
        case "run":
            job_id = schedules.run_now(name, reason=reason)
            return Answer({"job": {"id": job_id}}, [f"Job {job_id} was made."])
        case "show":
            row = schedules.get(name)
        case "add":
            if "task" not in said:
                raise BadUsage("Right is: schedule add NAME --task TASK --cron '0 2 * * *' (or --every, or --at).")
            row = schedules.create(name, said.pop("task"), reason=reason, **said)
        case "set":
            if not said:
                raise BadUsage("Set what? For example --cron '0 3 * * *'.")
            row = schedules.change(name, reason=reason, **said)
        case "pause":
            row = schedules.pause(name, until=options.until, minutes=options.minutes, reason=reason)
        case "resume":
            row = schedules.resume(name, reason=reason)
        case _:
            row = schedules.remove(name, reason=reason)
            return Answer(
                {"schedule": documents.schedule(row, metrics.database_clock())},
                [f"The schedule {name} fires no more."],
            )
    return schedule_lines.one(
        row, metrics.database_clock(), schedules.occurrences(name, limit=options.n), schedules.preview(name, options.n)
    )


def _holidays(options: Namespace, reason: str) -> Answer:
    match options.name, options.day:
        case None, None:
            return schedule_lines.holidays(schedules.holidays.listing())
        case "add", date() as day if options.reason:
            schedules.holidays.add(day, options.reason, site_id=options.site)
        case "remove", date() as day:
            schedules.holidays.remove(day, site_id=options.site, reason=reason)
        case _:
            raise BadUsage(
                "Right is: schedule holidays, schedule holidays add DAY --reason 'Labour Day' [--site ID], or schedule holidays remove DAY."
            )
    return schedule_lines.holidays(schedules.holidays.listing())


@contextlib.contextmanager
def _whose(options: Namespace) -> Iterator[None]:
    if options.all_tenants and options.act != "list":
        raise BadUsage("--all-tenants is for list: a change is for one tenant (--tenant N), or for the sweeps.")
    if options.tenant is not None:
        with tenants.tenant(options.tenant):
            yield
    elif options.all_tenants and settings().roles is not None:
        with roles.acting("ops"):
            yield
    else:
        yield


def _all(options: Namespace) -> bool:
    """Without the setting `roles` nothing keeps them apart, and whoever asks for no tenant sees them all."""
    return bool(options.all_tenants or (settings().roles is None and options.tenant is None))


def _said(options: Namespace) -> dict[str, Any]:
    """The words that were given, as `schedules.create` takes them."""
    given = {
        "task": options.task, "args": options.json_args, "cron": options.cron, "every_s": options.every, "at": options.at,
        "zone": options.zone, "days": options.days, "working_weekdays": options.working_weekdays,
        "jitter_s": options.jitter, "grace_s": options.grace, "overlap": options.overlap,
        "until": options.until if options.act in _CHANGES else None, "expire_s": options.expire,
        "queue": options.queue, "priority": options.priority, "tick_argument": options.tick_argument,
    }  # fmt: skip
    said = {word: value for word, value in given.items() if value is not None}
    if options.act != "holidays" and options.site is not None:
        said["site_id"] = options.site
    if options.quiet is not None:
        said["quiet"] = options.quiet or None
    if options.missed is not None:
        said |= options.missed
    assert said.keys() <= set(definition.OPTIONS)  # noqa: S101
    return said


# -- values


def _json_object(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not JSON ({error})") from None
    if not isinstance(given, dict):
        raise argparse.ArgumentTypeError(f"""{text[:80]!r} is not an object: arguments go by name, '{{"id": 7}}'""")
    return given


def _span_s(text: str) -> int:
    found = re.fullmatch(r"(\d{1,8})([smhd]?)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span: a whole number and s, m, h or d, as 90s, 15m, 2h, 1d")
    return int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]]


def _quiet(text: str) -> tuple[time, time] | tuple[()]:
    if text == "none":
        return ()
    try:
        begins, ends = (time.fromisoformat(each) for each in text.split("-"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no hours: 22:00-06:00, or none") from None
    return begins, ends


def _missed(text: str) -> dict[str, Any]:
    word, colon, number = text.partition(":")
    if word not in Missed.values or (colon and (word != Missed.ALL or not re.fullmatch(r"\d{1,4}", number, re.ASCII))):
        raise argparse.ArgumentTypeError(f"{text!r} is no policy: none, latest, all:N (at most N)")
    if word == Missed.ALL and not colon:
        raise argparse.ArgumentTypeError("all needs to know how many at most: all:10")
    return {"missed": word, **({"missed_most": int(number)} if colon else {})}


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-12-25") from None
