"""Our tasks in Celery's workers: in their tenant, with a context, tried again as they declare; and the fence before what was moved away."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from asgiref.sync import async_to_sync

from youtility_tasks import context, notes, registry, running, tasks_api, tenants
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import BadInput, NoTenant
from youtility_tasks.tenancy import token

from . import bases, claims, extra, positions, runs
from .old_side import number_of, tenant_of

_HARD_AFTER_S = 10
_NO_LIMIT_S = 3_600.0

logger = logging.getLogger(__name__)


def give(app: Any, names: Iterable[str] | None = None) -> list[str]:
    """See `joining.register`."""
    runs.watch()
    wanted = registry.registered() if names is None else {name: registry.get(name) for name in names}
    known = {name for name in app.tasks if not name.startswith("celery.")}
    new = [task for name, task in wanted.items() if name not in known]
    for task in new:
        _make(app, task)
    return [task.name for task in new]


def _make(app: Any, task: Task) -> None:
    hard = None if task.timeout_s is None else task.timeout_s + max(_HARD_AFTER_S, settings().soft_limit_grace_s)

    @app.task(  # type: ignore[untyped-decorator]
        name=task.name, bind=True, typing=False, acks_late=True, reject_on_worker_lost=True, serializer="json",
        max_retries=task.max_attempts - 1, soft_time_limit=task.timeout_s, time_limit=hard, lazy=False,
    )  # fmt: skip
    def in_celery(self: Any, *args: Any, **kwargs: Any) -> Any:
        return run(self, task, args, kwargs)

    in_celery.__doc__ = task.func.__doc__
    in_celery.is_fenced = True


_offered: dict[str, Any] = {}
"""What stands behind each of Celery's tasks that were made of ours."""


def offer(made: Any) -> None:
    """Make a task of Celery's form one of the real Celery too, in a process that has loaded it, under the same name: Celery's workers, which
    run the same code, go on with it, as its declaration, its base and Celery's settings say. Its body runs in its message's tenant,
    `self` is Celery's own."""
    if "celery" not in sys.modules or not extra.is_there() or made.name.startswith("celery."):
        return  # those it has itself
    import celery
    from celery._state import get_current_task

    runs.watch()
    is_new = made.name not in _offered
    _offered[made.name] = made
    if not is_new:
        return  # a module that is loaded anew: what it says now is run
    kind, base = type(made), bases.for_celery(type(made))

    def bound(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _body(self, made.name, args, kwargs)

    def plain(*args: Any, **kwargs: Any) -> Any:
        return _body(get_current_task(), made.name, args, kwargs)

    body = bound if made.bind or bases.has_own_run(kind) else plain
    # By its arguments Celery knows whether an errback takes (request, exc, traceback), and never of a bound one.
    plain.__signature__ = made.signature_of_run  # type: ignore[attr-defined]
    body.__name__, body.__doc__, body.__module__ = kind.__name__, made.__doc__, kind.__module__
    given = {**made.said, **({} if base is None else {"base": base}), "name": made.name, "house": made.house}
    celery.shared_task(**{**given, "bind": body is bound, "is_fenced": True, "typing": False})(body)


def _body(theirs: Any, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """One run of a task of Celery's form in a Celery worker, in its message's tenant."""
    kind = type(_offered[name])
    fence(theirs.request)
    before = running.current.set(running.Running(number_of(theirs.request.id or ""), name))
    try:
        with tenants.whose(tenant_of(_message(theirs.request))), token.living(_NO_LIMIT_S):
            is_plain = isinstance(inspect.getattr_static(kind, "run"), staticmethod)
            return kind.run(*args, **kwargs) if is_plain else kind.run(theirs, *args, **kwargs)
    finally:
        running.current.reset(before)


def _message(request: Any) -> Any:
    """What says for whom a body runs: its own message, or that of the task that calls it (`celery.map`)."""
    from celery._state import get_current_worker_task

    around = get_current_worker_task() if request.called_directly else None
    return request if around is None else around.request


def run(theirs: Any, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """One run of a task of ours in a Celery worker: in its tenant, with a context, tried again as its `retry` says."""
    tenant_id = tenant_of(theirs.request)
    attempt = theirs.request.retries + 1
    if tenant_id == tenants.ALL and task.tenant == "one":
        raise BadInput(str(NoTenant(task.name)))
    fence(theirs.request)
    try:
        with (
            tenants.whose(tenant_id),
            token.living(_NO_LIMIT_S if task.timeout_s is None else task.timeout_s + _HARD_AFTER_S),
        ):
            given_args, given_kwargs = positions.by_name(task, list(args), dict(kwargs))
            return called(
                task,
                given_args,
                given_kwargs,
                job_id=number_of(theirs.request.id),
                attempt=attempt,
                tenant_id=tenant_id,
            )
    except BadInput:
        raise
    except Exception as error:
        if attempt >= task.max_attempts:
            raise
        delay_s = task.retry.jittered_delay_s(attempt) * settings().retry_delay_factor
        raise theirs.retry(exc=error, countdown=delay_s) from error


def fence(request: Any) -> None:
    """Claim a message that a worker has held until it was due, or that was delivered anew: it may have been moved to our queue meanwhile.

    Raises Celery's Ignore if it has. Whoever enters it first has it, this worker or the move.
    """
    redelivered = (request.delivery_info or {}).get("redelivered")
    if not (request.get("eta") or redelivered) or not request.id or request.is_eager:
        return
    from celery.exceptions import Ignore

    if claims.claim_run(request.id, request.task, tenant_of(request)) == claims.POSTGRES:
        logger.info("moved meanwhile, not run in Celery id=%s task=%s", request.id, request.task)
        raise Ignore()


def is_fenced(app: Any, task_name: str) -> bool:
    """Whether Celery's workers that have this code ask `fence` before they run this task."""
    return bool(getattr(app.tasks.get(task_name), "is_fenced", False))


def called(
    task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], *, job_id: int, attempt: int, tenant_id: int
) -> Any:
    """Call the task's function here, without a job of ours; its context remembers what is told to it."""
    fields = context.running(task, job_id=job_id, attempt=attempt, args=list(args), kwargs=dict(kwargs))
    mine = context.TaskContext(
        task_result=tasks_api.result_of_json(fields), task=task, job_id=job_id, tenant_id=tenant_id, number=attempt,
        notes=notes.Remembered(),
    )  # fmt: skip
    before = running.current.set(running.Running(job_id, task.name))
    function: Callable[..., Any] = async_to_sync(task.func) if task.is_async else task.func
    try:
        return function(*([mine] if task.takes_context else []), *args, **kwargs)
    finally:
        running.current.reset(before)
