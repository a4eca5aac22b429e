"""An application as it is written for Celery; one import is another."""

from __future__ import annotations

import json
import os
import time
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from youtility_tasks.celery_bridge import Celery, Task, chain, group, shared_task, signature
from youtility_tasks.celery_bridge.exceptions import Ignore, Reject, SoftTimeLimitExceeded
from youtility_tasks.celery_bridge.signals import (
    task_failure,
    task_postrun,
    task_prerun,
    task_retry,
    task_revoked,
    task_success,
)

app = Celery("surface", broker="redis://localhost", backend="redis://localhost")
heard: list[tuple[Any, ...]] = []


def note(*said: Any) -> None:
    """Remember it here, and in a file where other processes can look."""
    heard.append(said)
    if os.environ.get("TEST_DIARY"):
        with open(os.environ["TEST_DIARY"], "a") as file:
            file.write(
                json.dumps({"event": str(said[0]), "said": [str(each) for each in said[1:]], "pid": os.getpid()}) + "\n"
            )


# -- first steps


@app.task
def add(x: Any, y: Any) -> Any:
    return x + y


@shared_task
def mul(x: Any, y: Any) -> Any:
    return x * y


@shared_task
def xsum(numbers: list[Any]) -> Any:
    return sum(numbers)


@shared_task(name="surface.said")
def said(*args: Any, **kwargs: Any) -> Any:
    note("said", *args, *sorted(kwargs.items()))
    return [*args, kwargs]


@shared_task
def gives(what: str) -> Any:
    return {"a set": {1}, "much": "x" * 300_000}[what]


@shared_task
def tomorrow(day: datetime) -> datetime:
    return day + timedelta(days=1)


class Measure(BaseModel):
    value: int


@shared_task(pydantic=True)
def measured(given: Measure, note: str = "") -> Measure:
    return Measure(value=given.value * 2)


# -- tasks


@shared_task(bind=True)
def about_me(self: Task, *args: Any, **kwargs: Any) -> dict[str, Any]:
    now = self.request
    return {
        "id": now.id, "task": now.task, "args": now.args, "kwargs": now.kwargs, "retries": now.retries, "root_id": now.root_id,
        "parent_id": now.parent_id, "hostname": now.hostname, "queue": now.delivery_info["routing_key"], "group": now.group,
        "index": now.group_index, "called_directly": now.called_directly, "is_eager": now.is_eager, "who": now.get("who"),
    }  # fmt: skip


@shared_task(bind=True, default_retry_delay=30, max_retries=2)
def tweet(self: Task, succeeds_at: int, **extra: Any) -> list[Any]:
    try:
        if self.request.retries < succeeds_at:
            raise ConnectionError("over capacity")
    except ConnectionError as exc:
        raise self.retry(exc=exc, countdown=0) from exc
    return [self.request.retries, extra]


@shared_task(bind=True, max_retries=1)
def gives_up(self: Task) -> None:
    self.retry(countdown=0)


@shared_task(bind=True)
def patient(self: Task) -> int:
    if self.request.retries == 0:
        self.retry(countdown=100)
    return int(self.request.retries)


@shared_task(bind=True, max_retries=3)
def counts_down(self: Task, left: int, note_: str = "") -> list[Any]:
    if left:
        self.retry(args=(left - 1, "again"), countdown=0)
    return [self.request.retries, left, note_]


@shared_task(
    bind=True, autoretry_for=(OSError,), dont_autoretry_for=(PermissionError,), retry_backoff=True, retry_backoff_max=4, retry_jitter=False,
    retry_kwargs={"max_retries": 3},
)  # fmt: skip
def refresh(self: Task, fails: int, kind: str = "OSError") -> int:
    if self.request.retries < fails:
        raise {"OSError": OSError, "PermissionError": PermissionError, "KeyError": KeyError}[kind]("not now")
    return self.request.retries


class Noting(Task):
    abstract = True

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        note("before_start", task_id, list(args))

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        note("on_success", retval, task_id)

    def on_retry(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        note("on_retry", repr(exc), task_id)

    def on_failure(self, exc: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        note("on_failure", repr(exc), task_id, "Traceback" in str(einfo))

    def after_return(self, status: str, retval: Any, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        note("after_return", status, task_id)


@shared_task(bind=True, base=Noting, throws=(KeyError,))
def noted(self: Noting, what: str) -> str:
    if what == "retry" and self.request.retries == 0:
        raise self.retry(exc=ValueError("once more"), countdown=0)
    if what == "fail":
        raise ValueError("no good")
    if what == "expected":
        raise KeyError("as foreseen")
    return what


class Around(Task):
    """A base that does something around each body."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        note("around", self.request.called_directly)
        return super().__call__(*args, **kwargs)


@shared_task(bind=True, base=Around, autoretry_for=(OSError,), retry_kwargs={"countdown": 0})
def surrounded(self: Around, again: bool = False) -> list[Any]:
    if self.request.retries == 0 and not self.request.called_directly:
        raise OSError("once")
    inner = None if again else self(True)
    return [self.request.retries, self.request.called_directly, inner, self.app.main]


class Adding(Task):
    """A class with a `run`."""

    name = "surface.adding"
    base_number = 10

    def run(self, x: int) -> int:
        return self.base_number + x


adding = app.register_task(Adding())


@shared_task(bind=True)
def drops(self: Task, how: str) -> str:
    if how == "ignore":
        raise Ignore()
    if how == "own state":
        self.update_state(state="GONE", meta={"why": "nobody asked"})
        raise Ignore()
    if how == "reject":
        raise Reject("not mine", requeue=False)
    if how == "requeue" and self.request.retries == 0:
        raise Reject("later", requeue=True)
    return "kept"


@shared_task(bind=True)
def uploads(self: Task, names: list[str], gate: str = "") -> int:
    for n, _ in enumerate(names):
        self.update_state(state="PROGRESS", meta={"current": n, "total": len(names)})
    while gate and not os.path.exists(gate):
        time.sleep(0.01)
    return len(names)


@shared_task(soft_time_limit=0.3, time_limit=5)
def works_too_long() -> str:
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            time.sleep(0.01)
    except SoftTimeLimitExceeded:
        return "cleaned up in a hurry"
    return "done"


@shared_task(bind=True)
def waits(self: Task, gate: str) -> str:
    note("waits", self.request.id)
    while not os.path.exists(gate):
        time.sleep(0.01)
    return "let go"


@shared_task(ignore_result=True)
def quiet() -> int:
    return 7


@shared_task(bind=True)
def calls_another(self: Task, x: int) -> list[str]:
    child = about_me.delay(x)
    return [str(self.request.id), child.id]


@shared_task
def calls_back(x: int, callback: Any) -> str:
    return str(signature(callback).delay(x).id)


@shared_task
def starts_a_chord(numbers: list[int]) -> str:
    return str((group(add.s(n, n) for n in numbers) | xsum.s()).delay().id)


# -- canvas


@shared_task
def fails(message: str = "unluckily") -> None:
    raise ZeroDivisionError(message)


@shared_task
def told(request: Any, exc: Exception, traceback: str) -> str:
    note(
        "told",
        request.id,
        request.task,
        isinstance(exc, ZeroDivisionError),
        "unluckily" in str(exc),
        "Traceback" in traceback,
    )
    return "told"


@shared_task
def told_the_id(task_id: str) -> str:
    note("told the id", task_id)
    return task_id


@shared_task
def imports(numbers: list[int]) -> list[int]:
    return [n * 2 for n in numbers]


def order(*numbers: int) -> Any:
    """A canvas that is made in a function."""
    return chain(imports.s(list(numbers)), xsum.s(), mul.s(10))


@task_prerun.connect
def _prerun(sender: Any = None, task_id: Any = None, **_: Any) -> None:
    heard.append(("prerun", sender.name, task_id))


@task_postrun.connect
def _postrun(sender: Any = None, task_id: Any = None, state: Any = None, **_: Any) -> None:
    heard.append(("postrun", sender.name, state))


@task_success.connect
def _success(sender: Any = None, result: Any = None, **_: Any) -> None:
    heard.append(("success", sender.name, result))


@task_failure.connect
def _failure(sender: Any = None, task_id: Any = None, exception: Any = None, **_: Any) -> None:
    heard.append(("failure", sender.name, repr(exception)))


@task_retry.connect
def _retry(sender: Any = None, request: Any = None, reason: Any = None, **_: Any) -> None:
    heard.append(("retry", sender.name, request.id))


@task_revoked.connect
def _revoked(sender: Any = None, request: Any = None, terminated: Any = None, expired: Any = None, **_: Any) -> None:
    note("revoked", getattr(sender, "name", sender), terminated, expired)
