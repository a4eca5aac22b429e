"""The move from Celery: each task's route, how it does on both sides, and what parity says. For operators, whose routes are of all tenants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from youtility_tasks import registry
from youtility_tasks.celery_bridge import parity, routes, standing
from youtility_tasks.celery_bridge.routes import CANARY, CELERY, Route
from youtility_tasks.errors import RouteChanged, UnknownTask
from youtility_tasks.models import BridgeRoute
from youtility_tasks.problems import Problem
from youtility_tasks.visits import For

from .acting import Act, Done, Form, Proposal, act
from .table import page
from .visit import Shown, Visit

_LONGEST = 128
_COUNTED = 100_000
"""Waiting jobs that a page counts by task, the newest; whoever drains a side counts all."""


@page("move/", scope=For.OPS, takes=("search", "moving"))
def move(visit: Visit) -> Shown:
    """All tasks, or those that are on their way."""
    search, is_short = visit.words.text("search", longest=_LONGEST), bool(visit.words.choice("moving", ("1",)))
    found = standing.status(most=_COUNTED)
    listed = [standing.one(each) for each in found.tasks if search.lower() in each.route.task_name.lower()]
    if is_short:
        listed = [each for each in listed if each["route"]["version"]]
    context = {
        "tasks": listed, "celery": found.celery, "unregistered": found.unregistered, "moving": found.moving,
        "theirs_alone": found.theirs_alone, "search": search, "is_short": is_short, "least": parity.LEAST,
        "counted": _COUNTED if found.is_part else None,
    }  # fmt: skip
    return Shown("move.html", "Move", context)


@page("move/<tasks_word:task_name>/", scope=For.OPS, takes=("since",), tab="move")
def move_of_task(visit: Visit, task_name: str) -> Shown:
    """One task: criterion by criterion, and the newest pairs that differ."""
    if registry.find(task_name) is None:
        raise Problem(404, "no-such-task", "No such task", str(UnknownTask(task_name, registry.registered())))
    found = standing.status([task_name], since=visit.words.instant("since"), most=_COUNTED)
    report = parity.with_differing(found.tasks[0].report)
    counted = _COUNTED if found.is_part else None
    context = {
        "task": standing.one(found.tasks[0]),
        "report": parity.document(report),
        "celery": found.celery,
        "counted": counted,
    }
    return Shown("move_of_task.html", f"Move of {task_name}", context)


# -- acts


class _OneTask(forms.Form):
    task = forms.CharField(max_length=_LONGEST, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)


def _route(target: Mapping[str, Any]) -> Route:
    found = routes.find(target["task"])
    if target.get("version") is not None and target["version"] != found.version:
        raise RouteChanged(found.task_name, target["version"], found.version, str(found), found.changed_by)
    return found


def _set(given: Mapping[str, Any], side: str, reason: str, **more: Any) -> Route:
    expected = None if given.get("version") is None else {given["task"]: given["version"]}
    (made,) = routes.change([given["task"]], side, expected=expected, reason=reason, **more)
    return made


_STAY = "What waits on the other side ends there; the command that moves it is named in the book."


@act
class RouteTask(Act):
    """Send a task's calls elsewhere."""

    name, needs, label, confirm = "route-task", "route", "Route", "Set the route"
    scope = For.OPS
    Target = _OneTask

    class Fields(Form):
        """Where to."""

        side = forms.ChoiceField(choices=BridgeRoute.Side.choices, label="Calls go to")
        percent = forms.FloatField(
            required=False,
            min_value=0,
            max_value=100,
            label="Share that we run, in percent",
            help_text="Of a canary alone.",
        )
        sticks_to = forms.CharField(
            required=False,
            max_length=_LONGEST,
            label="Argument that the choice sticks to",
            help_text="Of a canary. Empty: the tenant.",
        )

        def place(self, error: Exception) -> str | None:
            """A share or an argument that cannot be meant."""
            said = str(error)
            return "percent" if "share" in said or "percent" in said else "sticks_to" if "stick" in said else None

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it is."""
        found = routes.find(target["task"])
        return {"side": found.side, "percent": found.percent or None, "sticks_to": found.sticks_to}

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Where its calls go now, and from when on elsewhere."""
        found = _route(target)
        touches = (
            f"Its calls go to {found} now, for all tenants. Within a second every process sends what is called then the new way.",
            _STAY,
        )
        return Proposal(f"Route {found.task_name}?", touches, visit.to("move"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `routes.change`."""
        is_canary = given["side"] == CANARY
        made = _set(
            given, given["side"], reason, percent=given["percent"] if is_canary or given["percent"] is not None else None,
            sticks_to=given["sticks_to"] if is_canary else given["sticks_to"] or None,
        )  # fmt: skip
        return Done(f"Calls of {made.task_name} go to {made} within a second.")


@act
class RollBackTask(Act):
    """Send a task's calls back to Celery."""

    name, needs, label, confirm = "roll-back-task", "route", "Back to Celery", "Send them back"
    scope = For.OPS
    hurts = True
    Target = _OneTask

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What stays here."""
        found = _route(target)
        touches = (f"Its calls go to {found} now, and to Celery within a second, for all tenants.", _STAY)
        return Proposal(f"Send {found.task_name} back to Celery?", touches, visit.to("move"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `routes.change`."""
        made = _set(given, CELERY, reason)
        return Done(f"Calls of {made.task_name} go back to Celery within a second.")
