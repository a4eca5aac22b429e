"""How the move stands, task by task: where its calls go, how many ended and wait on each side, the last error, and what parity says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from youtility_tasks import metrics, queries, registry
from youtility_tasks.errors import BrokerAway, ConfigurationError
from youtility_tasks.status import JobStatus

from . import broker as brokers
from . import extra, old_side, parity, routes
from .broker import Waiting
from .parity import Report
from .routes import Route

_LOOKED_AT = 20_000
"""Messages of a list at one look of somebody who only wants to know how it stands."""


@dataclass(frozen=True, slots=True)
class LastError:
    """The last attempt or run that raised."""

    side: str
    error_class: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """One task."""

    route: Route
    is_registered: bool
    waiting_there: Waiting | None
    """None: Celery's broker could not be asked."""
    waiting_here: int
    running_here: int
    shadows_waiting: int
    last_error: LastError | None
    report: Report


@dataclass(frozen=True, slots=True)
class Status:
    """All of them."""

    tasks: tuple[Standing, ...]
    celery: str
    """Why Celery's side could not be asked; empty: it was."""
    unregistered: dict[str, int]
    """Calls that wait in Celery of tasks that are not registered here."""
    theirs_alone: list[str]
    """Tasks that the Celery application has and we have not: no route leads to them, and they go when Celery does."""
    moving: int
    """Messages on their way to us, which a move that was killed has left: the next one ends it."""
    is_part: bool = False
    """More jobs may wait here than were counted."""


def status(
    task_names: Collection[str] | None = None,
    *,
    since: datetime | None = None,
    least: int = parity.LEAST,
    most: int | None = None,
) -> Status:
    """How these tasks stand (None: every registered one); asks Celery's broker, and does without it when it is away. With `most` the
    newest so many waiting jobs are counted, for a page."""
    found = routes.listing() if task_names is None else [routes.find(name) for name in sorted(task_names)]
    names = [each.task_name for each in found]
    there, why, moving = _there()
    here = Counter({(name, word): n for name, word, n in queries.fetch("bridge_waiting", {"most": most})})
    errors = _last_errors(names)
    reports = {each.task_name: each for each in parity.reports(names, since=since, least=least)}
    known = registry.registered()
    return Status(
        tuple(
            Standing(
                each, each.task_name in known, None if there is None else there.get(each.task_name, Waiting()),
                here[each.task_name, JobStatus.TODO], here[each.task_name, JobStatus.DOING],
                here[extra.SHADOWS + each.task_name, JobStatus.TODO], errors.get(each.task_name), reports[each.task_name],
            )
            for each in found
        ),
        why,
        {name: n.queued + n.held for name, n in sorted((there or {}).items()) if registry.find(name) is None},
        _theirs_alone(),
        moving,
        most is not None and here.total() >= most,
    )  # fmt: skip


def _there() -> tuple[dict[str, Waiting] | None, str, int]:
    if not extra.is_there():
        return None, "Celery is not installed here", 0
    try:
        with brokers.opened() as broker:
            return broker.waiting(most=_LOOKED_AT), "", len(broker.taken())
    except (BrokerAway, ConfigurationError) as error:
        return None, str(error), 0


def _theirs_alone() -> list[str]:
    if not extra.is_there():
        return []
    try:
        names = old_side.application().tasks.keys()
    except ConfigurationError:
        return []
    return sorted(name for name in names if not name.startswith("celery.") and registry.find(name) is None)


def _last_errors(names: Collection[str]) -> dict[str, LastError]:
    found = {
        name: LastError("postgres", each.error_class, each.at) for name, each in metrics.last_errors(names).items()
    }
    for name, side, error_class, at in queries.fetch("bridge_last_errors", {"task_names": list(names)}):
        if name not in found or found[name].at < at:
            found[name] = LastError(side, error_class, at)
    return found


def document(found: Status) -> dict[str, Any]:
    """All of it for programs."""
    return {
        "celery": {
            "is_there": not found.celery,
            "why": found.celery,
            "unregistered": found.unregistered,
            "theirs_alone": found.theirs_alone,
            "moving": found.moving,
        },
        "tasks": [one(each) for each in found.tasks],
    }


def one(each: Standing) -> dict[str, Any]:
    """One task for programs."""
    there, report = each.waiting_there, each.report
    error = each.last_error
    return {
        "task": each.route.task_name,
        "is_registered": each.is_registered,
        "route": routes.document(each.route),
        "celery": {
            "ended": report.celery.ended, "failed": report.celery.failed, "waiting": None if there is None else there.queued,
            "held": None if there is None else there.held,
        },
        "postgres": {
            "ended": report.ours.ended, "failed": report.ours.failed, "waiting": each.waiting_here, "running": each.running_here,
            "shadows_waiting": each.shadows_waiting,
        },
        "last_error": None if error is None else {"side": error.side, "class": error.error_class, "at": error.at.isoformat()},
        "parity": {"is_safe": report.is_safe, "failing": report.failing, "pairs": report.pairs.compared},
    }  # fmt: skip
