"""What Celery has and this package has not, each with what to use instead; nothing of it is ever ignored."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from youtility_tasks.errors import NotOfCelery, did_you_mean

_NEXT = (
    "enqueue the next task at the end of this one, inside its transaction, so that both happen or neither: "
    "`with transaction.atomic(): ...; next_task.enqueue(...)`"
)
_LIMIT = "declare it: `@task(timeout_s=...)`; a few seconds later the process is killed"
_KEPT = "leave it out: what a task returns is kept with its history (`history_retention_days`)"
_BROKER = "leave it out: a job is a row of the database, written in the caller's transaction"

OPTIONS: Mapping[str, str] = {
    "chain": "start the canvas as a whole: `chain(...).apply_async()`",
    "chord": "start the canvas as a whole: `chord(header, body).apply_async()`",
    "group_id": _NEXT,
    "group_index": _NEXT,
    "parent_id": _NEXT,
    "root_id": _NEXT,
    "reply_to": _KEPT,
    "add_to_parent": _KEPT,
    "time_limit": _LIMIT,
    "soft_time_limit": _LIMIT,
    "connection": _BROKER,
    "producer": _BROKER,
    "publisher": _BROKER,
    "router": _BROKER,
    "exchange": "name a queue: `queue=`",
    "exchange_type": "name a queue: `queue=`",
    "routing_key": "name a queue: `queue=`",
    "delivery_mode": _BROKER,
    "mandatory": _BROKER,
    "immediate": _BROKER,
    "declare": _BROKER,
    "stamped_headers": "pass it as an argument of the task, or in `headers=`",
    "shadow": "declare another task that calls the same function",
    "serializer": "leave it out: arguments are JSON; pass ids and plain values",
    "replaced_task_nesting": _NEXT,
}
"""Options of `apply_async`."""

OF_OUR_CALLS: Mapping[str, str] = {
    "ignore_result": _KEPT,
    "headers": "pass it as an argument of the task",
}
"""Options of `apply_async` that only a task of Celery's form can be given."""

OF_TASKS: Mapping[str, str] = {
    "replace": _NEXT,
    "run": "`task.call(...)` runs it here and now",
    "request": "declare `@task(takes_context=True)` and take a `TaskContext` as the first argument",
    "update_state": "`context.progress(done, total)`, of a task that takes its context",
    "send_event": "look at the history and the metrics, which are always kept",
    "add_trail": _NEXT,
    "max_retries": "`task.retry`, whose `max_attempts` counts the first run too",
    "default_retry_delay": "`task.retry`",
    "rate_limit": "`manage_task_queue limits` sets it at run time",
    "time_limit": "`task.timeout_s`",
    "soft_time_limit": "`task.timeout_s`",
}
"""Attributes of one of our own tasks."""

OF_BRIDGED: Mapping[str, str] = {
    "backend": "`youtility_tasks.history.story(id)` has all that is known of a job",
    "send_event": "look at the history and the metrics, which are always kept",
    "send_events": "look at the history and the metrics, which are always kept",
    "add_trail": "the history tells which job was enqueued by which",
    "start_strategy": "there is none: a worker's child runs the task",
    "request_stack": "`self.request`",
    "push_request": "call the task as a function, or `.apply()` it",
    "pop_request": "call the task as a function, or `.apply()` it",
    "rate_limit": "`manage_task_queue limits` sets it at run time, for all workers together",
    "after_call": "`after_return`",
    "subtask_from_request": "`self.signature(self.request.args, self.request.kwargs)`",
    "signature_from_request": "`self.signature(self.request.args, self.request.kwargs)`",
}
"""Attributes of a task of Celery's form."""

REPLACED: Mapping[str, str] = {
    "replace": "start the other canvas and return its id, or write the whole one before: `chain(this.s(), that.s())`",
    "add_to_chord": "let one task return the list and another one start the group of it",
}
"""Methods of a task of Celery's form that change the canvas it is in."""

DECLARED: Mapping[str, str] = {
    "rate_limit": "set it at run time, for all workers together: `manage_task_queue limits`, and while Celery runs beside, there: "
    "`celery control rate_limit TASK 10/m`",
    "exchange": "name a queue: `queue=`",
    "exchange_type": "name a queue: `queue=`",
    "routing_key": "name a queue: `queue=`",
    "delivery_mode": _BROKER,
    "backend": "leave it out: what a task returns is kept with its history",
    "strategy": "leave it out: a worker's child runs the task",
    "Strategy": "leave it out: a worker's child runs the task",
    "Request": "leave it out; what a base's hooks need is in `self.request`",
    "shadow_name": "declare another task that calls the same function",
}
"""Options of a declaration."""

OF_RESULTS: Mapping[str, str] = {
    "root": "`parent`, up to the first",
    "graph": "the workflow's page, or `manage_task_queue workflow show`",
    "build_graph": "the workflow's page, or `manage_task_queue workflow show`",
    "then": "`link=` at the call, or let the task do it at its end",
    "on_ready": "`link=` at the call, or let the task do it at its end",
    "backend": "`youtility_tasks.history.story(id)` has all that is known of a job",
    "app": "there is none: tasks are found in the installed applications",
    "revoke_by_stamped_headers": "`manage_task_queue cancel`",
    "supports_native_join": _KEPT,
}
"""Attributes of an AsyncResult."""


def refuse_option(task_name: str, name: str, known: Iterable[str]) -> NotOfCelery:
    """The error for an option of `apply_async` that is Celery's, or nobody's."""
    instead = OPTIONS.get(name) or OF_OUR_CALLS.get(name)
    if instead is not None:
        return NotOfCelery(
            f"Task {task_name!r}: apply_async has no {name!r} here; instead, {instead}. Nothing was written."
        )
    return NotOfCelery(
        f"Task {task_name!r}: apply_async has no option {name!r}; known: {', '.join(sorted(known))}."
        f"{did_you_mean(name, known)} Arguments of the task go into `args` and `kwargs`. Nothing was written."
    )


def refuse_attribute(whose: str, name: str, absent: Mapping[str, str]) -> NotOfCelery | None:
    """The error for an attribute that only Celery has; None for a name that means nothing there, either."""
    return None if name not in absent else NotOfCelery(f"{whose} has no {name!r} here; instead, {absent[name]}.")


def refuse_half(function: Callable[..., Any]) -> None:
    """Raise NotOfCelery for a module with a task of ours in which Celery's own `chain`, `group` or `chord` is left."""
    for name, value in getattr(function, "__globals__", {}).items():
        if getattr(value, "__module__", None) == "celery.canvas":
            raise NotOfCelery(
                f"{function.__module__} has {name!r} from celery, whose canvases would go to Celery, past the routes; instead, import it from "
                "youtility_tasks.celery_bridge, as `shared_task`."
            )


def refuse_replaced(task_name: str, name: str) -> NotOfCelery:
    """The error for a body that would change the canvas it is in."""
    return NotOfCelery(f"Task {task_name!r}: self.{name} cannot be had here; instead, {REPLACED[name]}.")


def refuse_in_body(task_name: str, function: Callable[..., Any], *, is_bound: bool) -> None:
    """Raise NotOfCelery for a body that asks its `self` for what a task has not: told as its module is imported, and not at three in the morning."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    if code is None or not is_bound or not code.co_argcount:
        return
    for name in _asked_of(code, code.co_varnames[0]):
        way_out = REPLACED.get(name) or OF_BRIDGED.get(name)
        if way_out:
            raise NotOfCelery(
                f"Task {task_name!r} asks for self.{name}, which cannot be had here; instead, {way_out}. Or leave this one task to Celery "
                "until it is written anew: `from celery import shared_task as celerys`, and `@celerys`."
            )


def _asked_of(code: Any, own: str) -> Iterator[str]:
    """The names of attributes that code asks of a variable, in functions within it, too."""
    before: Any = None
    for each in dis.get_instructions(code):
        loaded = getattr(before, "argval", None)
        is_own = own in (loaded[-1:] if isinstance(loaded, tuple) else (loaded,))
        if is_own and before.opname.startswith(("LOAD_FAST", "LOAD_DEREF")) and each.opname in _OF_AN_OBJECT:
            yield str(each.argval)
        before = each
    for inner in code.co_consts:
        if own in getattr(inner, "co_freevars", ()):
            yield from _asked_of(inner, own)


_OF_AN_OBJECT = ("LOAD_ATTR", "LOAD_METHOD")
