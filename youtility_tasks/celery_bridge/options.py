"""Options of a call as Celery writes them, in our terms; what cannot be had is refused before anything is written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from youtility_tasks.declaration import Task
from youtility_tasks.errors import NotOfCelery, WrongOption
from youtility_tasks.payload import safe

from . import absent, config, known, plain

KNOWN = (
    "argsrepr", "kwargsrepr", "countdown", "eta", "expires", "headers", "ignore_result", "link", "link_error", "priority", "queue", "retry", "retry_policy", "task_id",
)  # fmt: skip
"""`retry` and `retry_policy` are of the sending, which is a row in the caller's transaction: it is there, or an error is raised.
`argsrepr` and `kwargsrepr` are what logs show of arguments: here, nothing."""
_NOTHING: tuple[Any, ...] = (None, [], (), {})
_FREE: Mapping[str, tuple[Any, ...]] = {
    "serializer": ("json", "application/json"),
    "add_to_parent": (True, False),
    "compression": ("zlib", "gzip", "bzip2", "zstd", "brotli", "lzma"),
}
"""Of the way, not of the call: values that mean nothing different to us."""
_LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class Call:
    """A call that would be taken."""

    task: Task
    """With its queue, priority and instants."""
    wait: timedelta | None = None
    """Of a step: its countdown."""
    headers: dict[str, Any] = field(default_factory=dict)
    """What its job keeps beside its arguments."""
    links: tuple[Any, ...] = ()
    errbacks: tuple[Any, ...] = ()
    celery_id: str = ""


def of_call(task: Task, said: Mapping[str, Any], *, as_step: bool = True) -> Call:
    """What the options mean for this task. Raises NotOfCelery, WrongOption, NaiveDatetime or UnknownQueue."""
    bridged = known.of(task)
    for name, value in said.items():
        if bridged is None and name in absent.OF_OUR_CALLS and value not in _NOTHING:
            raise absent.refuse_option(task.name, name, KNOWN)
        # None is how Celery's own callers say "not given".
        if name in KNOWN or (name in absent.OPTIONS and value in _NOTHING):
            continue
        if name in _FREE and value in _FREE[name]:
            continue
        raise absent.refuse_option(task.name, name, [*KNOWN, "args", "kwargs"])
    countdown, eta, expires = said.get("countdown"), said.get("eta"), said.get("expires")
    if countdown is not None and eta is not None:
        raise WrongOption(
            f"Task {task.name!r}: countdown is {countdown!r} and eta is {eta!r}; right is one of the two."
        )
    if bridged is not None:
        eta, expires = _aware(eta), _aware(expires)
    due = None if countdown is None else _from_now(task, "countdown", countdown)
    until = expires if expires is None or isinstance(expires, datetime) else _from_now(task, "expires", expires)
    queue, priority = said.get("queue"), said.get("priority")
    if bridged is not None:
        queue = config.queue_for(task.name, _name(queue)) if queue is not None else None
        priority = config.priority_for(task.name, priority) if priority is not None else None
    changed = task.using(
        run_after=eta if as_step else due or eta,
        expires_at=until,
        queue_name=queue,
        priority=priority,
    )
    waits, starts = as_step and due is not None, due or eta
    celery_id = _id(task, said.get("task_id"))
    headers = {
        "id": celery_id or None,
        "headers": plain.packed(said["headers"]) if said.get("headers") else None,
        "ignore_result": said.get("ignore_result"),
        "expires": until.isoformat() if as_step and until is not None else None,
        "eta": starts.isoformat() if starts is not None else None,
        "queue": said.get("queue") if isinstance(said.get("queue"), str) else None,
    }
    return Call(
        changed,
        wait=timedelta(seconds=_positive(countdown)) if waits and _positive(countdown) else None,
        headers={key: value for key, value in headers.items() if value is not None},
        links=tuple(listed(said.get("link"))),
        errbacks=tuple(listed(said.get("link_error"))),
        celery_id=celery_id,
    )


def listed(given: Any) -> list[Any]:
    """One signature or several, as a list."""
    found = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
    for each in found:
        if not isinstance(each, Mapping) or "task" not in each:
            raise NotOfCelery(f"A link is a signature, as task.s(...) makes it; given: {safe(repr, each):.100}.")
    return found


def merged(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A signature's options in those of the canvas around it: those that it names itself win, links add up."""
    both = {**inherited, **{name: value for name, value in own.items() if value is not None}}
    for name in ("link", "link_error"):
        links = listed(own.get(name)) + [
            each for each in listed(inherited.get(name)) if each not in listed(own.get(name))
        ]
        if links:
            both[name] = links
    return both


def of_every_task(said: Mapping[str, Any]) -> dict[str, Any]:
    """What of a canvas's options each of its tasks has."""
    return {name: said[name] for name in ("queue", "priority", "headers", "link_error") if name in said}


def of_first_task(said: Mapping[str, Any]) -> dict[str, Any]:
    """What those have that begin."""
    return {name: said[name] for name in ("countdown", "eta", "expires") if name in said}


def _name(queue: Any) -> Any:
    """A queue may be one of kombu's."""
    return getattr(queue, "name", queue)


def _id(task: Task, given: Any) -> str:
    text = "" if given is None else str(given)
    if len(text) > _LONGEST_ID or not text.isprintable() or text.isdecimal():
        raise WrongOption(
            f"Task {task.name!r}: task_id is {text!r:.80}; right are at most {_LONGEST_ID} printable characters, not digits alone, which "
            "are the ids of jobs."
        )
    return text


def _aware(instant: Any) -> Any:
    """As in Celery, an instant without a zone is UTC, whatever its setting `timezone` says."""
    if isinstance(instant, str):
        instant = datetime.fromisoformat(instant)
    return instant.replace(tzinfo=UTC) if isinstance(instant, datetime) and instant.tzinfo is None else instant


def _positive(countdown: Any) -> float:
    return max(0.0, countdown.total_seconds() if isinstance(countdown, timedelta) else float(countdown))


def _from_now(task: Task, name: str, seconds: Any) -> datetime:
    """That many seconds from now; no seconds, or fewer, are an instant that has passed."""
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    right = "seconds from now" if name == "countdown" else "seconds from now, or an aware datetime"
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise WrongOption(f"Task {task.name!r}: {name} is {safe(repr, seconds):.80}; right are {right}.")
    try:
        return timezone.now() + timedelta(seconds=seconds)
    except OverflowError as error:
        raise WrongOption(
            f"Task {task.name!r}: {name} is {safe(repr, seconds):.80}; right are {right}, up to the year 9998."
        ) from error
