"""The move from Celery: routes, how both sides do, and parity. An operator's."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from youtility_tasks.audit import LONGEST_REASON
from youtility_tasks.celery_bridge import parity, routes, standing
from youtility_tasks.visits import For

from .endpoints import endpoint
from .words import Given, Nothing, Said


class Route(Given):
    task: str
    side: str = Field(description="celery, shadow, canary or postgres")
    percent: float | None = Field(description="Of a canary: the share that goes to PostgreSQL.")
    sticks_to: str | None = Field(description="Of a canary: the argument that the choice sticks to; null: the tenant.")
    version: int = Field(description="0: nobody has set it, and the setting says where.")
    changed_at: str | None
    changed_by: str
    reason: str


class OfCelery(Given):
    ended: int
    failed: int
    waiting: int | None = Field(description="In its lists; null: its broker could not be asked.")
    held: int | None = Field(description="By its workers.")


class OfPostgres(Given):
    ended: int
    failed: int
    waiting: int
    running: int
    shadows_waiting: int


class LastError(Given):
    side: str
    at: str


class Verdict(Given):
    is_safe: bool
    failing: list[str]
    pairs: int


class TaskOnTheMove(Given):
    task: str
    is_registered: bool
    route: Route
    celery: OfCelery
    postgres: OfPostgres
    last_error: LastError | None
    parity: Verdict


class Celery(Given):
    is_there: bool
    why: str
    unregistered: dict[str, int]
    theirs_alone: list[str] = Field(description="Tasks that Celery has and we have not.")
    moving: int


class Move(Given):
    celery: Celery
    tasks: list[TaskOnTheMove]


class Criterion(Given):
    name: str
    holds: bool | None = Field(description="null: it does not apply.")
    said: str


class Parity(Given):
    task: str
    is_safe: bool
    failing: list[str]
    since: str
    least: int
    criteria: list[Criterion]


class RouteDocument(Given):
    route: Route


class Routing(Said):
    side: Literal["celery", "shadow", "canary", "postgres"]
    percent: float | None = Field(None, ge=0, le=100, description="Of a canary, which needs it.")
    sticks_to: str | None = Field(
        None, max_length=128, description="Of a canary: an argument's name; *: all arguments."
    )
    version: int | None = Field(None, ge=0, description="The one that you have seen; 409 if it is another by now.")
    reason: str = Field("", max_length=LONGEST_REASON, description="Kept with the route and in the audit log.")


class RollingBack(Said):
    version: int | None = Field(None, ge=0, description="The one that you have seen; 409 if it is another by now.")
    reason: str = Field("", max_length=LONGEST_REASON, description="Kept with the route and in the audit log.")


class Comparison(Said):
    least: int = Field(parity.LEAST, ge=1, le=10_000, description="Samples that are needed.")


@endpoint("GET", "move/", gives=Move, scope=For.OPS)
def get_move(query: Nothing, place: Any) -> dict[str, Any]:
    """How the move from Celery stands, task by task: the last day, all tenants."""
    return standing.document(standing.status())


@endpoint("GET", "move/<name:task>/parity/", query=Comparison, gives=Parity, scope=For.OPS)
def get_parity(query: Comparison, place: Any, task: str) -> dict[str, Any]:
    """Whether it is safe to let PostgreSQL run a task, criterion by criterion."""
    (found,) = parity.reports([routes.find(task).task_name], least=query.least)
    return parity.document(parity.with_differing(found))


@endpoint("POST", "move/<name:task>/route/", body=Routing, gives=RouteDocument, scope=For.OPS, refusals=(409,))
def route_task(query: Nothing, body: Routing, place: Any, task: str) -> dict[str, Any]:
    """Send a task's calls to one side; every process knows within a second. What waits on the other side ends there."""
    return {
        "route": _changed(task, body.side, body.version, body.reason, percent=body.percent, sticks_to=body.sticks_to)
    }


@endpoint("POST", "move/<name:task>/rollback/", body=RollingBack, gives=RouteDocument, scope=For.OPS, refusals=(409,))
def roll_back_task(query: Nothing, body: RollingBack, place: Any, task: str) -> dict[str, Any]:
    """Send a task's calls back to Celery."""
    return {"route": _changed(task, routes.CELERY, body.version, body.reason)}


def _changed(task: str, side: str, version: int | None, reason: str, **more: Any) -> dict[str, Any]:
    expected = None if version is None else {task: version}
    (made,) = routes.change([task], side, expected=expected, reason=reason, **more)
    return routes.document(made)
