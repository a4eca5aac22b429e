"""Words that several verbs share, and what is wrong with them in a person's terms."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks import metrics, queues, registry, tenants
from youtility_tasks.errors import Refused, did_you_mean
from youtility_tasks.models import Tenant
from youtility_tasks.models.jobs import NO_FINGERPRINT

from .answer import BadUsage

_LARGEST_ID = 2**63 - 1
_SPAN = re.compile(r"(\d{1,6})([smhd])")
_LONGEST_SPAN = timedelta(days=36_500)
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_filters(parser: CommandParser, *, since: bool = True, default_limit: int | None = 50) -> None:
    """`--queue --task --tenant|--all-tenants --limit [--since]`."""
    parser.add_argument("--queue", metavar="QUEUE", help="only of this queue")
    parser.add_argument("--task", metavar="TASK", help="only of this task")
    add_tenant_or_all(parser)
    shown = "all" if default_limit is None else default_limit
    parser.add_argument(
        "--limit", type=count, default=default_limit, metavar="N", help=f"at most so many (default: {shown})"
    )
    if since:
        parser.add_argument(
            "--since",
            type=moment,
            metavar="WHEN",
            help="only what was enqueued, claimed or ended since: 90s, 15m, 2h, 3d, or 2026-11-24T06:00:00Z",
        )


def add_tenant(parser: CommandParser, help: str = "only of this tenant (default: all)") -> None:
    """`--tenant N`."""
    parser.add_argument("--tenant", type=tenant_id, metavar="N", help=help)


def add_tenant_or_all(parser: CommandParser) -> None:
    """`--tenant N | --all-tenants`; with the setting `roles` one of them is needed."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--tenant", type=tenant_id, metavar="N", help="only of this tenant")
    either.add_argument(
        "--all-tenants",
        action="store_true",
        help="of all tenants, as an operator: without arguments, results and error texts",
    )


def job_id(text: str) -> int:
    """A job's id."""
    return _whole(text, 1, _LARGEST_ID, "a job's id")


def redrive_id(text: str) -> int:
    """A redrive's id."""
    return _whole(text, 1, _LARGEST_ID, "a redrive's id")


def operation_id(text: str) -> int:
    """An operation's id."""
    return _whole(text, 1, _LARGEST_ID, "an operation's id")


def worker_id(text: str) -> int:
    """A worker's id."""
    return _whole(text, 1, _LARGEST_ID, "a worker's id")


def act_id(text: str) -> int:
    """The id of an act in the audit log."""
    return _whole(text, 1, _LARGEST_ID, "an act's id")


def tenant_id(text: str) -> int:
    """A tenant's id."""
    return _whole(text, 1, 2**31 - 1, "a tenant's id")


def running(text: str) -> int:
    """How many may run at once, from 1."""
    return _whole(text, 1, 2**31 - 1, "how many may run at once")


def rate(text: str) -> float:
    """Starts a second, from a text such as 10/s, 600/min, 100/h or 0.5 (a second)."""
    number, slash, unit = text.partition("/")
    seconds = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}.get(unit if slash else "s")
    found = _number(number)
    if seconds is None or not 0 < found / seconds <= 1e6:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no rate: a number above 0 and a unit, as 10/s, 600/min, 100/h or 5/d"
        )
    return found / seconds


def burst(text: str) -> float:
    """How many may start at once after a quiet time, from 1."""
    found = _number(text)
    if not 1 <= found <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no burst: a number from 1")
    return found


def minutes(text: str) -> float:
    """A number of minutes above 0, up to ten years."""
    found = _number(text)
    if not 0 < found <= 5_256_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes: above 0, up to 5256000")
    return found


def span_s(text: str) -> float:
    """Seconds above 0, from a text such as 90, 90s, 15m, 2h or 3d."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNIT else (text, "s")
    found = _number(number) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
    if not found > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time span: a number above 0 and s, m, h or d, as 90s or 2h")
    return found


def watch_s(text: str) -> float:
    """Seconds between two looks, from 1 to a day."""
    found = _number(text)
    if not 1 <= found <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return found


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    found = tuple(each.strip() for each in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of names: commas between them, as site_id,day")
    return found


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text, re.ASCII) else -1.0


def add_target(parser: CommandParser, *, alone: bool = False) -> None:
    """`--queue --task --tenant`: the jobs that a limit or a pause is for; `alone`: the queue's name may stand by itself."""
    if alone:
        parser.add_argument("alone", nargs="?", type=words, metavar="QUEUE", help="the same as --queue QUEUE")
    parser.add_argument("--queue", type=words, metavar="QUEUE", help="the jobs of this queue")
    parser.add_argument("--task", type=words, metavar="TASK", help="the jobs of this task")
    parser.add_argument("--tenant", type=tenant_id, metavar="N", help="the jobs of this tenant")


def count(text: str) -> int:
    """How many, from 1 to 10,000."""
    return _whole(text, 1, 10_000, "a number of jobs")


def days(text: str) -> int:
    """A number of days, from 0."""
    return _whole(text, 0, 36_500, "a number of days")


def weight(text: str) -> int:
    """A tenant's share, from 1."""
    return _whole(text, 1, 1_000, "a tenant's weight")


def priority(text: str) -> int:
    """1 (most urgent) to 10."""
    return _whole(text, 1, 10, "a priority")


def words(text: str) -> str:
    """Text that says something."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} says nothing: give at least one character that is no space")
    return text


def _whole(text: str, lowest: int, highest: int, meaning: str) -> int:
    number = int(text) if re.fullmatch(r"-?\d{1,20}", text, re.ASCII) else None
    if number is None or not lowest <= number <= highest:
        raise argparse.ArgumentTypeError(f"{text!r} is not {meaning}: a whole number from {lowest} to {highest}")
    return number


def aware(text: str) -> datetime:
    """An instant: ISO 8601 with its zone."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an instant such as 2026-11-24T06:00:00Z") from None
    if given.tzinfo is None:
        full = text if given.time() != time() or ":" in text else f"{text}T00:00"
        raise argparse.ArgumentTypeError(f"{text!r} names no zone: write {full}Z for UTC, or {full}+05:30")
    return given


def moment(text: str) -> datetime | timedelta:
    """An instant, or a span that reaches back from now, at most a hundred years."""
    span = _SPAN.fullmatch(text)
    if span:
        back = timedelta(**{_UNIT[span[2]]: int(span[1])})
        if back > _LONGEST_SPAN:
            raise argparse.ArgumentTypeError(f"{text!r} reaches back too far: at most {_LONGEST_SPAN.days}d")
        return back
    try:
        return aware(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or a span such as 15m (s, m, h, d)") from None


def since(options: Namespace) -> datetime | None:
    """The instant that `--since` means, by the database's clock."""
    return instant_of(options, "since")


def instant_of(options: Namespace, word: str) -> datetime | None:
    """The instant that a word of the type `moment` means, by the database's clock; None if it was not given, or is not the verb's."""
    given: datetime | timedelta | None = getattr(options, word, None)
    return metrics.database_clock() - given if isinstance(given, timedelta) else given


def fingerprint(text: str) -> str:
    """A fingerprint of an error, as `dead-letters` shows it."""
    if not re.fullmatch(rf"[0-9a-f]{{16}}|{NO_FINGERPRINT}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no fingerprint: 16 digits and letters from a to f, as `dead-letters` shows them, or {NO_FINGERPRINT}"
        )
    return text


def change(text: str) -> tuple[str, Any]:
    """An argument given anew: name=JSON; name=- reads the JSON from stdin, where no list of processes shows it."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(
            f"""{text[:80]!r} gives no argument anew: name=JSON, as level=2 or site='"North"'"""
        )
    if value == "-":
        value = sys.stdin.read()
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError) as error:
        # not its value: it may be marked
        raise argparse.ArgumentTypeError(
            f"""what {name} is given is not JSON ({error}): text needs quotes, {name}='"..."'"""
        ) from None


def add_changes(parser: CommandParser) -> None:
    """`--set NAME=JSON`, as often as needed."""
    parser.add_argument(
        "--set",
        type=change,
        action="append",
        default=[],
        dest="changes",
        metavar="NAME=JSON",
        help="""an argument given anew: level=2, site='"North"', ids='[1, 2]'; NAME=- reads it from stdin""",
    )


def changes(options: Namespace) -> dict[str, Any]:
    """What `--set` gives anew. Raises BadUsage for a name that is given twice."""
    given: dict[str, Any] = {}
    for name, value in options.changes:
        if name in given:
            raise BadUsage(f"--set gives {name} twice.")
        given[name] = value
    return given


def explain_nothing(options: Namespace) -> None:
    """Nothing was found: raise Refused if that is because a name in the filters does not exist."""
    known_queues, known_tasks = queues.configured(), registry.registered()
    queue_name, task_name = getattr(options, "queue", None), getattr(options, "task", None)
    if queue_name is not None and queue_name not in known_queues:
        names = ", ".join(sorted(known_queues))
        raise Refused(f"No queue is called {queue_name!r}; known: {names}.{did_you_mean(queue_name, known_queues)}")
    if task_name is not None and registry.find(task_name) is None:
        raise Refused(
            f"No task is called {task_name!r}.{did_you_mean(task_name, known_tasks)} "
            "`manage_task_queue tasks` lists them all."
        )
    tenant_id = getattr(options, "tenant", None)
    if tenant_id is not None and not Tenant.objects.filter(pk=tenant_id).exists():
        raise Refused(f"No tenant has the id {tenant_id}. `manage_task_queue tenants` lists them.")


@contextlib.contextmanager
def in_tenant(options: Namespace) -> Iterator[None]:
    """Inside `--tenant N`, if it was given; without the setting `roles` nothing else enters it."""
    with contextlib.nullcontext() if options.tenant is None else tenants.tenant(options.tenant):
        yield
