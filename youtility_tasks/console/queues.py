"""Queues and what limits them: how each stands by what it promises, and pauses, limits and rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from youtility_tasks import controls, metrics, objectives, queries
from youtility_tasks import queues as known_queues
from youtility_tasks.conf import settings
from youtility_tasks.documents import queues as documents
from youtility_tasks.metrics import QueueNumbers, Summary
from youtility_tasks.models import TaskWorker
from youtility_tasks.problems import Problem

from . import charts
from .charts import SPANS
from .table import page
from .visit import Shown, Visit


@page("queues/")
def queues(visit: Visit) -> Shown:
    """Every queue, and every limit and pause."""
    slots = dict(queries.fetch("served", {"lease_s": settings().lease_s}))
    _, by_queue, _ = metrics.last_hour(tenant_id=visit.tenant_id)
    found, over = _controls(visit)
    now = metrics.glance(tenant_id=visit.tenant_id)
    lines = [
        line(
            each,
            by_queue.get(each.queue_name),
            slots.get(each.queue_name),
            found,
            over=over,
            tenant_id=visit.tenant_id or None,
        )
        for each in now
    ]
    _hold_back(now, found)
    return Shown("queues.html", "Queues and limits", {"queues": lines, "controls": found, "over": over})


def _controls(visit: Visit) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is shown for these; and the pauses of everybody's jobs, which keep a tenant's back and are not its own to end."""
    found = [documents.control(each) for each in controls.listing()]
    if not visit.tenant_id:
        return found, []
    return [each for each in found if each["tenant"] is not None], [each for each in found if each["tenant"] is None]


def _hold_back(now: Sequence[QueueNumbers], found: list[dict[str, Any]]) -> None:
    """Under the pause of a whole queue no job is parked, as none is claimed: all that wait are held back by it."""
    waiting = {each.queue_name: each.todo for each in now}
    for each in found:
        if each["is_paused"] and each["task"] is None and each["tenant"] is None:
            each["parked"] = waiting.get(each["queue"], each["parked"])


def line(
    numbers: QueueNumbers,
    lately: Summary | None = None,
    slots: int | None = None,
    found: Sequence[dict[str, Any]] = (),
    *,
    over: Sequence[dict[str, Any]] = (),
    tenant_id: int | None = None,
) -> dict[str, Any]:
    """One queue as a row shows it: how it stands by what it promises, and its pause among these controls: all of it, or all of this
    tenant's, is paused by it. `over` are the pauses that are not the tenant's own."""
    promised = objectives.of_queue(numbers.queue_name)
    whole = [each for each in found if _is_of(each, numbers.queue_name) and each["tenant"] == tenant_id]
    return {
        "name": numbers.queue_name,
        "now": numbers,
        "lately": lately,
        "slots": slots,
        "promised": promised,
        "is_late": numbers.oldest_s > promised.start_within_s,
        "pause": next((each for each in whole if each["is_paused"]), None),
        "is_paused_by_others": any(_is_of(each, numbers.queue_name) for each in over),
        "is_ours": numbers.queue_name in known_queues.configured(),
    }


def _is_of(control: dict[str, Any], queue_name: str) -> bool:
    return control["queue"] == queue_name and control["task"] is None


@page("queues/<tasks_word:queue_name>/", takes=("span", "until"), tab="queues")
def queue(visit: Visit, queue_name: str) -> Shown:
    """One queue: its charts, its tasks, who serves it."""
    word = visit.words.choice("span", SPANS) or charts.USUAL
    if visit.part == "charts":
        drawn = {"charts": charts.of_work(visit, queue_name=queue_name), "span": word, "spans": list(SPANS)}
        return Shown("work_charts.html", "Charts", drawn)
    is_of_all = visit.is_ops and visit.tenant_id is None
    by_tenant = metrics.glance_by_tenant() if is_of_all else {}
    here = metrics.of_all(by_tenant) if is_of_all else metrics.glance(tenant_id=visit.tenant_id)
    numbers = next((each for each in here if each.queue_name == queue_name), None)
    if numbers is None:
        known = ", ".join(sorted(known_queues.configured()))
        raise Problem(404, "no-such-queue", "No such queue", f"No queue is called {queue_name!r}; there are: {known}.")
    _, since, until, _ = charts.span(visit)
    every, over = _controls(visit)
    found = [each for each in every if each["queue"] == queue_name]
    by_task = metrics.summary(since=since, until=until, by="task", tenant_id=visit.tenant_id, queue_name=queue_name)
    _hold_back([numbers], found)
    context = {
        "queue": line(numbers, found=found, over=over, tenant_id=visit.tenant_id or None),
        "controls": found,
        "over": [each for each in over if each["queue"] in (None, queue_name)],
        "tasks": sorted(by_task, key=lambda each: -each.attempt_count),
        "workers": _workers(queue_name) if visit.is_ops else None,
        "shares": _shares(by_tenant, queue_name) if is_of_all else None,
        "span": word,
    }
    return Shown("queue.html", queue_name, context)


def _workers(queue_name: str) -> list[dict[str, Any]]:
    rows = TaskWorker.objects.present().filter(queue_name=queue_name).with_silence().order_by("-pk")
    return [documents.worker(each) for each in rows[:50]]


def _shares(by_tenant: Mapping[int, Sequence[QueueNumbers]], queue_name: str) -> list[dict[str, Any]]:
    """Who waits and runs in it, the most first."""
    found: list[tuple[int, QueueNumbers]] = [
        (tenant_id, each)
        for tenant_id, its in by_tenant.items()
        for each in its
        if each.queue_name == queue_name and (each.todo or each.doing)
    ]
    most = sorted(found, key=lambda each: -(each[1].todo + each[1].doing))[:20]
    return [{"tenant": tenant_id, "now": now} for tenant_id, now in most]
