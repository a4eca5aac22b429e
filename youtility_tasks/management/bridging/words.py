"""Words that several verbs share, and what follows the change of a route."""

from __future__ import annotations

import argparse
import contextlib
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandParser

from youtility_tasks.celery_bridge import moving, routes
from youtility_tasks.celery_bridge.moving import Moved
from youtility_tasks.celery_bridge.routes import Route
from youtility_tasks.conf import settings
from youtility_tasks.management.verbs import arguments
from youtility_tasks.management.verbs.answer import REFUSED, Answer, BadUsage, table
from youtility_tasks.tenancy import roles


def add_waiting(parser: CommandParser) -> None:
    """`--drain | --move`, and how long."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--drain", action="store_true", help="wait until nothing waits or runs on the side that is left"
    )
    either.add_argument("--move", action="store_true", help="move what waits there to the new side, each call once")
    parser.add_argument(
        "--timeout", type=arguments.span_s, default=600.0, metavar="SPAN", help="of --drain (default: 600; 90s, 10m, 2h)"
    )  # fmt: skip
    parser.add_argument("--reason", default="", help="kept with the route and in the audit log")


def percentage(text: str) -> float:
    """A share, as 10, 10% or 0.5%."""
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: a number from 0 to 100, as 10 or 10%")
    return found


@contextlib.contextmanager
def as_operator() -> Iterator[None]:
    """Connect as operators do, where the setting `roles` keeps tenants apart."""
    with roles.acting("ops") if settings().roles is not None else contextlib.nullcontext():
        yield


def change(
    options: Namespace, names: Sequence[str], side: str, *, also: Sequence[str] | None = None, **more: Any
) -> Answer:
    """Set the route, wait until every process knows it, and see to what waits on the side that is left (`also`: of these tasks)."""
    waiting = names if also is None else also
    if (options.drain or options.move) and side not in (routes.CELERY, routes.POSTGRES):
        raise BadUsage(f"--drain and --move leave one side, and {side} needs both.")
    with as_operator():
        changed = routes.change(names, side, reason=options.reason, **more) if names else []
    routes.settle()
    moved: Moved | None = None
    left: dict[str, int] = {}
    if options.move:
        to = moving.to_postgres if side == routes.POSTGRES else moving.to_celery
        moved = to(waiting, reason=options.reason)
    elif options.drain:
        left = moving.wait_until_drained(waiting, of_celery=side == routes.POSTGRES, timeout_s=options.timeout)
    return _answer(changed, moved, left, options)


def _answer(changed: Sequence[Route], moved: Moved | None, left: dict[str, int], options: Namespace) -> Answer:
    document: dict[str, Any] = {"routes": [routes.document(each) for each in changed]}
    page: list[Any] = [
        table(("task", "goes to", "version"), [(each.task_name, each, each.version) for each in changed], empty="")
    ]
    problems = []
    if moved is not None:
        document |= of_move(moved)
        page.extend(lines_of_move(moved))
    if options.drain:
        document |= {"is_drained": not left, "left": left}
        page.append("Nothing waits or runs on the side that is left." if not left else "")
        problems = [f"{name}: {n} still wait or run on the side that is left." for name, n in sorted(left.items())]
    return Answer(document, page, REFUSED if left else 0, problems)


def of_move(moved: Moved) -> dict[str, Any]:
    """What was moved, for programs."""
    return {"moved": dict(moved.moved), "left": dict(moved.left)}


def lines_of_move(moved: Moved) -> list[Any]:
    """The same for people."""
    said = [f"{n} of {name} moved to {moved.to}." for name, n in sorted(moved.moved.items())] or [
        "Nothing was to be moved."
    ]
    return [*said, *(f"{n} end where they are: {why}." for why, n in sorted(moved.left.items()))]
