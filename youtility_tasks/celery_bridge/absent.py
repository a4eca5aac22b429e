"""What Celery has and this package has not, each with what to use instead; nothing of it is ever ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from youtility_tasks.errors import NotOfCelery, did_you_mean

_NEXT = (
    "enqueue the next task at the end of this one, inside its transaction, so that both happen or neither: "
    "`with transaction.atomic(): ...; next_task.enqueue(...)`"
)
_LIMIT = "declare it: `@task(timeout_s=...)`; a few seconds later the process is killed"
_KEPT = "leave it out: what a task returns is kept with its history (`history_retention_days`)"
_BROKER = "leave it out: a job is a row of the database, written in the caller's transaction"

OPTIONS: Mapping[str, str] = {
    "link": _NEXT,
    "link_error": "append a function to `youtility_tasks.on_final_failure`, or look at the dead letters",
    "chain": _NEXT,
    "chord": _NEXT,
    "group_id": _NEXT,
    "group_index": _NEXT,
    "parent_id": _NEXT,
    "root_id": _NEXT,
    "reply_to": _KEPT,
    "ignore_result": _KEPT,
    "add_to_parent": _KEPT,
    "task_id": "leave it out: the database draws the id; for at most one job of a kind `task.using(unique='...')`",
    "time_limit": _LIMIT,
    "soft_time_limit": _LIMIT,
    "retry": _BROKER,
    "retry_policy": "declare it: `@task(retry=Retry(...))`; it is for runs, since enqueueing needs no retries",
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
    "headers": "pass it as an argument of the task",
    "stamped_headers": "pass it as an argument of the task",
    "shadow": "declare another task that calls the same function",
    "serializer": "leave it out: arguments are JSON; pass ids and plain values",
    "compression": _BROKER,
    "replaced_task_nesting": _NEXT,
}
"""Options of `apply_async`."""

OF_TASKS: Mapping[str, str] = {
    "s": _NEXT,
    "si": _NEXT,
    "subtask": _NEXT,
    "chunks": "`enqueue_many(task, [{...}, ...])`",
    "map": "`enqueue_many(task, [{...}, ...])`",
    "starmap": "`enqueue_many(task, [{...}, ...])`",
    "replace": _NEXT,
    "apply": "`task.call(...)` runs it here and now",
    "run": "`task.call(...)` runs it here and now",
    "request": "declare `@task(takes_context=True)` and take a `TaskContext` as the first argument",
    "update_state": "write how far you are into a table of your own",
    "send_event": "look at the history and the metrics, which are always kept",
    "add_trail": _NEXT,
    "max_retries": "`task.retry`, whose `max_attempts` counts the first run too",
    "default_retry_delay": "`task.retry`",
    "rate_limit": "`manage_task_queue limits` sets it at run time",
    "time_limit": "`task.timeout_s`",
    "soft_time_limit": "`task.timeout_s`",
}
"""Attributes of a task."""

OF_RESULTS: Mapping[str, str] = {
    "forget": _KEPT,
    "children": _NEXT,
    "parent": _NEXT,
    "root": _NEXT,
    "graph": _NEXT,
    "collect": _NEXT,
    "iterdeps": _NEXT,
    "get_leaf": _NEXT,
    "then": "append a function to `youtility_tasks.on_final_failure`, or let the task do it at its end",
    "on_ready": "let the task do it at its end",
    "build_graph": _NEXT,
    "backend": "`youtility_tasks.history.story(id)` has all that is known of a job",
    "app": "there is none: tasks are found in the installed applications",
    "maybe_throw": "`get()`",
    "maybe_reraise": "`get()`",
    "throw": "`get()`",
    "revoke_by_stamped_headers": "`manage_task_queue cancel`",
    "supports_native_join": _KEPT,
    "as_list": "`[result.id]`",
    "as_tuple": "`result.id`",
}
"""Attributes of an AsyncResult."""


def refuse_option(task_name: str, name: str, known: Iterable[str]) -> NotOfCelery:
    """The error for an option of `apply_async` that is Celery's, or nobody's."""
    if name in OPTIONS:
        return NotOfCelery(
            f"Task {task_name!r}: apply_async has no {name!r} here; instead, {OPTIONS[name]}. Nothing was written."
        )
    return NotOfCelery(
        f"Task {task_name!r}: apply_async has no option {name!r}; known: {', '.join(sorted(known))}."
        f"{did_you_mean(name, known)} Arguments of the task go into `args` and `kwargs`. Nothing was written."
    )


def refuse_attribute(whose: str, name: str, absent: Mapping[str, str]) -> NotOfCelery | None:
    """The error for an attribute that only Celery has; None for a name that means nothing there, either."""
    return None if name not in absent else NotOfCelery(f"{whose} has no {name!r} here; instead, {absent[name]}.")
