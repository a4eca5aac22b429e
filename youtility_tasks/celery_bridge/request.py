"""`self.request`: what a task is told of the attempt that runs, in Celery's words."""

from __future__ import annotations

import contextlib
import contextvars
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from youtility_tasks.context import TaskContext

if TYPE_CHECKING:
    from .task import Task

HEADERS = "$celery"
"""The keyword under which a job keeps what Celery sends in a message's headers; no argument of its task."""
ARGS = "$args"
"""The keyword under which a workflow's step keeps positional arguments."""


@dataclass(slots=True)
class Request:
    """One attempt. Outside of a run, and in a task called as a function, it is empty and `called_directly`."""

    id: str | None = None
    task: str | None = None
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    root_id: str | None = None
    parent_id: str | None = None
    group: str | None = None
    group_index: int | None = None
    hostname: str | None = None
    delivery_info: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] | None = None
    eta: str | None = None
    expires: str | None = None
    timelimit: tuple[float | None, float | None] = (None, None)
    ignore_result: bool = False
    called_directly: bool = True
    is_eager: bool = False
    callbacks: list[Any] | None = None
    errbacks: list[Any] | None = None
    chain: list[Any] | None = None
    chord: Any = None
    origin: str | None = None
    reply_to: str | None = None
    lang: str = "py"
    utc: bool = True
    state: tuple[str, Any] | None = None
    """What `update_state` said last."""
    is_called: bool = False
    """A base's own `__call__` has come to the body."""
    asked: BaseException | None = None
    """The retry that `self.retry(throw=False)` has asked for."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What its checkpoint must not lose."""
    context: TaskContext | None = None
    """Of a job; none when it runs eagerly."""

    @property
    def correlation_id(self) -> str | None:
        """The id."""
        return self.id

    @property
    def argsrepr(self) -> str:
        """The positional arguments as text."""
        return repr(tuple(self.args))

    @property
    def kwargsrepr(self) -> str:
        """The named arguments as text."""
        return repr(dict(self.kwargs))

    def get(self, name: str, default: Any = None) -> Any:
        """A field by its name, or one of the headers that the caller gave."""
        if name in self.__slots__:
            return getattr(self, name)
        return (self.headers or {}).get(name, default)

    def __getattr__(self, name: str) -> Any:
        # As in Celery: headers that the caller gave are fields, too.
        try:
            return (object.__getattribute__(self, "headers") or {})[name]
        except KeyError:
            raise AttributeError(f"'Request' object has no attribute {name!r}") from None


_stack: contextvars.ContextVar[tuple[tuple[Task, Request], ...]] = contextvars.ContextVar(
    "youtility_tasks_celery_requests", default=()
)


@contextlib.contextmanager
def pushed(task: Task, request: Request) -> Iterator[Request]:
    """Inside the block `task.request` is this one."""
    token = _stack.set((*_stack.get(), (task, request)))
    try:
        yield request
    finally:
        _stack.reset(token)


def of(task: Task) -> Request:
    """The innermost request of this task here; an empty one if it does not run."""
    return next((each for whose, each in reversed(_stack.get()) if whose is task), Request())


def innermost() -> tuple[Task, Request] | None:
    """The task that runs here as a job or eagerly, and its request."""
    return next((each for each in reversed(_stack.get()) if not each[1].called_directly), None)


def hostname(queue: str) -> str:
    """How a worker of this queue calls itself to its tasks."""
    return f"{queue}@{socket.gethostname()}"


def overdue_s(expires: str | None) -> float | None:
    """By how much an instant in the headers has passed; None if it has not."""
    late_s = 0.0 if expires is None else time.time() - datetime.fromisoformat(expires).timestamp()
    return late_s if late_s > 0 else None
