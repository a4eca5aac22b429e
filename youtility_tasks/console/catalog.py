"""The catalog: every registered task, what it does, how it has done lately, and "run one"."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import timezone

from youtility_tasks import metrics, queues, registry, submission
from youtility_tasks.declaration import Task
from youtility_tasks.documents import queues as documents
from youtility_tasks.errors import NotYetBuilt, Refused, UnknownTask
from youtility_tasks.listing import JobFilter, jobs
from youtility_tasks.metrics import Summary
from youtility_tasks.problems import Problem
from youtility_tasks.schedules import looking
from youtility_tasks.schedules import words as in_words
from youtility_tasks.schedules.looking import Wanted
from youtility_tasks.status import JobStatus
from youtility_tasks.visits import For

from .acting import Act, Done, Proposal, act
from .calling import CallForm, call_of
from .table import page
from .visit import Shown, Visit

_SCHEDULES = 10
_LETTERS = 5


@page("catalog/", takes=("queue", "named"))
def catalog(visit: Visit) -> Shown:
    """Every task, with the numbers of its last hour."""
    queue, named = visit.words.choice("queue", queues.configured()), visit.words.text("named").lower()
    found = [
        each
        for each in registry.registered().values()
        if (not queue or each.queue_name == queue) and named in f"{each.name} {each.func.__doc__ or ''}".lower()
    ]
    lately = _lately(visit)
    errors = metrics.last_errors([each.name for each in found], tenant_id=visit.tenant_id)
    context = {
        "lines": [
            {"task": documents.task(each), "lately": _numbers(lately.get(each.name)), "error": errors.get(each.name)}
            for each in found
        ],
        "queues": sorted(queues.configured()),
        "queue": queue,
        "is_filtered": bool(queue or named),
    }
    return Shown("catalog.html", "Catalog", context)


def _lately(visit: Visit) -> dict[str, Summary]:
    """By task; of one that ran on several queues what ran on most attempts."""
    found: dict[str, Summary] = {}
    now = timezone.now()
    for each in metrics.summary(since=now - metrics.HOUR, until=now, by="task", tenant_id=visit.tenant_id):
        if each.task_name is not None:
            before = found.get(each.task_name)
            found[each.task_name] = each if before is None or each.attempt_count > before.attempt_count else before
    return found


def _numbers(lately: Summary | None) -> dict[str, Any] | None:
    if lately is None or not lately.attempt_count:
        return None
    share = lately.succeeded_count / lately.attempt_count
    return {
        "share": share,
        "is_bad": share < 0.9,
        "count": lately.attempt_count,
        "p50": lately.run_p50_ms,
        "p95": lately.run_p95_ms,
        "failed": lately.failed_count,
        "retried": lately.retried_count,
    }


@page("catalog/<tasks_word:name>/", tab="catalog")
def catalog_task(visit: Visit, name: str) -> Shown:
    """One task: what it declares, how it has done, and who fires it."""
    task = _task(name)
    lines = looking.lines(Wanted(tenant_id=visit.tenant_id, task_name=task.name), limit=_SCHEDULES)
    failed = jobs(
        JobFilter(statuses=[JobStatus.FAILED], task_name=task.name, tenant_id=visit.tenant_id), limit=_LETTERS
    )
    context = {
        "task": documents.task(task),
        "doc": inspect.getdoc(task.func) or "",
        "retry": task.retry,
        "arguments": [_argument(task, each) for each in task.signature.parameters.values()],
        "lately": _numbers(_lately(visit).get(task.name)),
        "error": metrics.last_errors([task.name], tenant_id=visit.tenant_id).get(task.name),
        "schedules": [(each.row, in_words.rule(each.row, each.zone)) for each in lines],
        "letters": failed,
        "works": visit.sees_contents,
        "runs_here": task.is_built and visit.sees_contents and (task.tenant == "all" or bool(visit.tenant_id)),
    }
    return Shown("catalog_task.html", task.name, context)


def _task(name: str) -> Task:
    try:
        return registry.get(name)
    except UnknownTask as unknown:
        raise Problem(404, "unknown-task", "No such task", str(unknown)) from unknown


def _argument(task: Task, parameter: inspect.Parameter) -> dict[str, Any]:
    mark = task.marks.of(parameter.name)
    return {
        "name": parameter.name,
        "type": ""
        if parameter.annotation is parameter.empty
        else str(parameter.replace(default=parameter.empty)).partition(":")[2].strip(),
        "default": None if parameter.default is parameter.empty else repr(parameter.default)[:120],
        "mark": mark.value if mark else "",
    }


class _OneTask(forms.Form):
    task = forms.CharField(max_length=128)


@act
class RunTask(Act):
    """One job of a task, now or later."""

    name, needs, label = "run-task", "run", "Run one"
    confirm = "Run it"
    scope = For.TENANT_OR_SWEEPS
    Target = _OneTask
    Fields = CallForm

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Which task, and where."""
        task = _task(target["task"])
        if not task.is_built:
            raise NotYetBuilt(task.name)
        whose = f" for tenant {visit.tenant_id}" if visit.tenant_id else " for all tenants, as a sweep"
        touches = (
            f"One job of {task.name} in the queue {task.queue_name}{whose}. It is entered in the audit log, without its arguments.",
        )
        return Proposal(f"Run {task.name}", touches, visit.to("catalog_task", task.name))

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of which task the form is."""
        return {"task": target["task"]}

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `submission.submit`."""
        task = _task(given["task"])
        args, kwargs = call_of(task, given)
        wanted = task.using(run_after=given["run_after"], priority=given["priority"])
        result, is_new = submission.submit(wanted, args, kwargs, reason=reason)
        if not is_new and not result.is_replaced:
            raise Refused(f"No job was made: job {result.id} holds its lock or key already.")
        return Done(f"Job {result.id} of {task.name} was made.", visit.to("job", int(result.id)))
