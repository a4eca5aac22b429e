"""Checks a call and writes it as one job row inside the caller's own transaction."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from . import foreign, history, payload, queries, tasks_api, tenants, tracing, uniqueness
from .conf import settings
from .declaration import Task
from .errors import EnqueueError, NoTenant, NotJson, UnknownTenant, WrongArguments, WrongTransaction
from .secrets import sealing
from .tenancy import guard

_ATTEMPTS_AT_A_TWIN = 5


@dataclass(frozen=True, slots=True)
class _Call:
    """One checked call, ready to be written."""

    task: Task
    shown: dict[str, Any]
    """Its arguments, the values of marked ones left out."""
    text: str
    tenant_id: int
    lock: str | None
    queueing_lock: str | None
    unique_key: str | None
    claims: uniqueness.Claims | None
    """By the task's rule; the two above are then its."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job that stands for a call: a new one, or the one that already does (`is_new` False), with the call's arguments or its own."""

    job_id: int
    enqueued_at: datetime | None
    is_new: bool
    is_replaced: bool = False
    found: tasks_api.TaskResult[Any] | None = None
    """What is known of the one that already does."""


def enqueue(
    task: Task, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> tasks_api.EnqueuedResult[Any]:
    """Put one job on its queue, in the caller's transaction: the job exists if and only if that commits.

    When its queueing lock or unique key is taken, the result is that of the job which holds it, and its `is_new` says so. Raises a subclass of
    EnqueueError for a bad call; then nothing was written.
    """
    return enqueue_or_find(task, args, kwargs)[0]


def enqueue_or_find(
    task: Task, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> tuple[tasks_api.EnqueuedResult[Any], bool]:
    """As `enqueue`, and whether the job is new: False when it is the one that holds the key."""
    call = _check(task, args, kwargs or {})
    (written,) = _write([call])
    return _result(call, written), written.is_new


def check(task: Task, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Raise what `enqueue` would raise for this call; write nothing. Its arguments as a job's row would hold them, marked ones
    sealed: given to `enqueue` for the same tenant and task, they are good as they are."""
    checked: dict[str, Any] = json.loads(_check(task, args, kwargs or {}).text)
    return checked


def enqueue_many(task: Task, calls: Iterable[Mapping[str, Any]]) -> list[tasks_api.EnqueuedResult[Any]]:
    """Put many jobs of one task on its queue with one statement: all of them or, if one call is bad, none.

    `calls` are keyword arguments, one mapping a job; the results come in their order. The EnqueueError of a bad call
    has a note that says which one it was.
    """
    checked = [_check_one_of_many(task, n, kwargs) for n, kwargs in enumerate(calls)]
    return [_result(call, written) for call, written in zip(checked, _write(checked), strict=True)]


def check_shape(task: Task, kwargs: Mapping[str, Any], later: Collection[str] = ()) -> dict[str, Any]:
    """The arguments as a job stores them, with those of `later` left out: nobody knows them yet. Raises an EnqueueError."""
    task.validate()
    stored = _arguments(task, (), {**kwargs, **dict.fromkeys(later)})
    inside = stored["kwargs"] if task.verbatim else stored
    for name in later:
        del inside[name]
    limits = settings()
    payload.check(f"Task {task.name!r}", stored, max_bytes=limits.max_args_bytes, max_depth=limits.max_args_depth)
    return stored


def check_call(task: Task, kwargs: Mapping[str, Any], later: Collection[str] = ()) -> tuple[dict[str, Any], str | None]:
    """As `check_shape`, and the job's lock for the current tenant. The task's guard is asked if it can see all arguments."""
    stored = check_shape(task, kwargs, later)
    tenant_id = _tenant(task)
    if task.guard is not None and not later:
        task.guard(stored)
    try:
        lock = task.key(task.lock, stored)
    except (KeyError, TypeError) as error:
        if not later:
            raise
        raise WrongArguments(
            f"Task {task.name!r} makes its lock from its arguments, and {', '.join(sorted(later))} will be known only when the "
            f"job runs ({type(error).__name__}: {error}). Give what the lock needs as a value."
        ) from error
    return stored, _of_tenant(task, tenant_id, lock)


@dataclass(frozen=True, slots=True)
class Checked:
    """A call that would be taken, as its job's row would hold it."""

    text: str
    """The arguments as JSON, marked ones sealed."""
    lock: str | None
    queueing_lock: str | None
    key: str | None
    """By which it would be unique, while it runs or for a period."""


def check_stored(task: Task, stored: Mapping[str, Any]) -> Checked:
    """Arguments as a job stores them, checked as a call of the current tenant; what is sealed for this very place is good as it is.

    Raises what `enqueue` would raise; writes nothing.
    """
    call = _check(task, *history.unpack(task, dict(stored)))
    held_longer = (call.claims.done_key or call.claims.period_key) if call.claims else None
    return Checked(call.text, call.lock, call.queueing_lock, call.unique_key or held_longer)


def lock_of(task: Task) -> str | None:
    """The lock of a task whose lock does not depend on arguments, for the current tenant."""
    return _of_tenant(task, _tenant(task), task.key(task.lock, {}))


def _check(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Call:
    task.validate()
    stored = _arguments(task, args, kwargs)
    if task.marks:
        return _check_marked(task, stored)
    limits = settings()
    text = payload.check(
        f"Task {task.name!r}", stored, max_bytes=limits.max_args_bytes, max_depth=limits.max_args_depth
    )
    if task.guard is not None:
        task.guard(stored)
    return _call(task, _tenant(task), text, shown=stored, keyed=stored)


def _check_marked(task: Task, stored: dict[str, Any]) -> _Call:
    limits, tenant_id = settings(), _tenant(task)
    place = sealing.Place(tenant_id, task.name, task.marks, task.verbatim)
    sealed = sealing.seal(place, stored, max_bytes=limits.max_args_bytes, max_depth=limits.max_args_depth)
    if task.guard is not None:
        task.guard(stored)
    needs_digests = callable(task.lock) or callable(task.queueing_lock) or task.rule is not None
    keyed = sealing.digests(place, stored) if needs_digests else {}
    call = _call(task, tenant_id, sealed.text, shown=sealed.shown, keyed=keyed)
    shown = {"queueing lock": call.queueing_lock, "unique key": call.unique_key}
    sealed.refuse_in_key(task.name, lock=call.lock, **(shown if call.claims is None else call.claims.keys()))
    return call


def _tenant(task: Task) -> int:
    tenant_id = tenants.current_tenant()
    if tenant_id is None:
        if task.tenant == "one":
            raise NoTenant(task.name)
        return tenants.ALL
    return tenant_id


def _call(task: Task, tenant_id: int, text: str, *, shown: dict[str, Any], keyed: dict[str, Any]) -> _Call:
    lock, queueing_lock = task.key(task.lock, keyed), task.key(task.queueing_lock, keyed)
    unique = None if isinstance(task.unique, uniqueness.Unique) else _storable(task, task.unique)
    claims = _claims(task, task.rule, tenant_id, keyed) if task.rule is not None else None
    return _Call(
        task=task,
        shown=shown,
        text=text,
        tenant_id=tenant_id,
        lock=_of_tenant(task, tenant_id, lock),
        queueing_lock=claims.queueing_lock if claims else _of_tenant(task, tenant_id, queueing_lock),
        unique_key=claims.unique_key if claims else unique,
        claims=claims,
    )


def _claims(task: Task, rule: uniqueness.Rule, tenant_id: int, keyed: dict[str, Any]) -> uniqueness.Claims | None:
    """None where the rule's function says that this call has no key."""
    key = uniqueness.key_of(rule, keyed, task.signature, lambda name: bool(task.marks.of(name)), verbatim=task.verbatim)
    if key is None:
        return None
    _storable(task, key)
    claims = uniqueness.claims(rule, task.name, tenant_id, key)
    _storable(task, claims.queueing_lock)  # with the task's name in it
    return claims


def _check_one_of_many(task: Task, n: int, kwargs: Mapping[str, Any]) -> _Call:
    if not isinstance(kwargs, Mapping):
        raise WrongArguments(
            f"Task {task.name!r}: calls[{n}] of enqueue_many is {payload.safe(repr, kwargs):.80}; right is a mapping of "
            "keyword arguments for each job."
        )
    try:
        return _check(task, (), kwargs)
    except EnqueueError as error:
        error.add_note(f"It was calls[{n}] of enqueue_many; nothing was written.")
        raise


def _arguments(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    if task.by_name is not None and not args and not task.verbatim and _are_all(task.by_name, kwargs):
        return {name: kwargs[name] for name in task.by_name if name in kwargs}
    try:
        bound = task.signature.bind(*args, **kwargs)
    except TypeError as error:
        if task.verbatim and foreign.takes(task, args, kwargs):
            return foreign.arguments(task, args, kwargs)
        given = [*(f"#{n + 1}" for n in range(len(args))), *sorted(map(str, kwargs))]
        raise WrongArguments(
            f"Task {task.name!r}: {error}. Given: {', '.join(given) or 'nothing'}; "
            f"right is {task.name}{task.signature.replace(return_annotation=task.signature.empty)}."
        ) from error
    if task.verbatim:
        return foreign.arguments(task, args, kwargs)
    stored = dict(bound.arguments)
    for name, parameter in task.signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            stored.update(stored.pop(name, {}))
    return stored


def _are_all(by_name: Mapping[str, bool], kwargs: Mapping[str, Any]) -> bool:
    """Whether each argument is a parameter's, and each parameter that has to be given is. What is not is told by `bind`, which takes longer."""
    return kwargs.keys() <= by_name.keys() and all(name in kwargs for name, is_due in by_name.items() if is_due)


def _of_tenant(task: Task, tenant_id: int, key: str | None) -> str | None:
    # procrastinate compares locks over the whole table; the prefix keeps tenants out of each other's way.
    return None if key is None else f"{tenant_id}:{_storable(task, key)}"


def _storable(task: Task, key: str | None) -> str | None:
    if key is not None and (not isinstance(key, str) or payload.clean_text(key) != key or len(key) > 500):
        raise NotJson(
            f"Task {task.name!r}: a lock or key is text of at most 500 characters without NUL; given: {key!r:.80}."
        )
    return key


def _write(calls: Sequence[_Call]) -> list[Enqueued]:
    if not calls:
        return []
    if tracing.is_on():
        return _write_traced(calls)
    return _write_for_tenant(calls)


def _write_traced(calls: Sequence[_Call]) -> list[Enqueued]:
    """One span, however many jobs: they carry it along."""
    from .tracing import producing  # with the setting alone

    first = calls[0].task
    with producing.sending(
        first.queue_name, tenant_id=calls[0].tenant_id, count=len(calls), task_name=first.name
    ) as span:
        written = _write_for_tenant(calls)
        if len(written) == 1:
            producing.note(span, job_id=written[0].job_id, is_new=written[0].is_new)
        return written


def _write_for_tenant(calls: Sequence[_Call]) -> list[Enqueued]:
    if settings().tenant_databases is not None:
        _refuse_wrong_transaction(calls[0])
    if calls[0].tenant_id != tenants.ALL:
        return _write_as_one(calls)
    with tenants.no_tenant():  # a sweep, and the database wants to be told even that
        return _write_as_one(calls)


def _refuse_wrong_transaction(call: _Call) -> None:
    here = settings().database
    if not queries.in_transaction_on(here):
        for alias in settings().aliases:
            if alias != here and queries.in_transaction_on(alias):
                raise WrongTransaction(call.task.name, call.tenant_id, here, alias)


def _write_as_one(calls: Sequence[_Call]) -> list[Enqueued]:
    if len(calls) > 1:
        # A savepoint inside the caller's transaction, or one of its own: a refused call leaves no row of its batch behind.
        with transaction.atomic(using=settings().database):
            return _settled(calls, _insert(calls))
    rows = _insert(calls)  # one statement, which is whole by itself
    _, job_id, enqueued_at, is_written, tenant_is_known, *more = rows[0]
    if is_written and tenant_is_known and not more:
        return [Enqueued(job_id, enqueued_at, is_new=True)]
    return _settled(calls, rows)


def _settled(calls: Sequence[_Call], rows: Sequence[tuple[Any, ...]]) -> list[Enqueued]:
    """What has become of each call: `rows` says it, and where a key was held by another job, that one, or a second try."""
    done: dict[int, Enqueued] = {}
    left = list(range(len(calls)))
    for attempt in range(_ATTEMPTS_AT_A_TWIN):
        if attempt:
            rows = _insert([calls[n] for n in left])
        for n, row in zip(left, rows, strict=True):
            _, job_id, enqueued_at, is_written, tenant_is_known, *more = row
            if not tenant_is_known:
                raise UnknownTenant(
                    f"Task {calls[n].task.name!r} was enqueued for tenant {calls[n].tenant_id}, which does not exist "
                    "or is not active. `manage_task_queue tenants` lists them."
                )
            if more:  # by a rule: the statement has found the holder itself, or nobody
                if is_written is not None:
                    done[n] = Enqueued(job_id, enqueued_at, is_written, more[0])
                continue
            twin = (job_id, enqueued_at) if is_written else _twin(calls[n])
            if twin is not None:
                done[n] = Enqueued(twin[0], twin[1], bool(is_written))
        left = [n for n in range(len(calls)) if n not in done]
        if not left:
            break
    else:
        # Each time the holder of the key ended between our two statements.
        raise EnqueueError(f"Task {calls[0].task.name!r}: its lock changed hands too often; enqueue it again.")
    # Here, so that a batch of which one has no answer leaves no row behind.
    return [each if each.is_new else replace(each, found=_found(calls[n], each)) for n, each in sorted(done.items())]


def _insert(calls: Sequence[_Call]) -> list[tuple[Any, ...]]:
    told = {"noted": settings().procrastinate_events, **tracing.carried()}
    if len(calls) == 1 and calls[0].claims is None and calls[0].task.expires_at is None:
        return _insert_one({**_row(calls[0]), **told})
    rows = [_row(call) for call in calls]
    if any(call.claims for call in calls):
        return _insert_unique(calls, rows, told)
    if any(call.task.expires_at for call in calls):
        return [
            queries.fetch("enqueue_job_expiring", {**row, **told, "expires_at": call.task.expires_at})[0]
            for row, call in zip(rows, calls, strict=True)
        ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return queries.fetch("enqueue_jobs", {**columns, **told})


def _insert_one(row: dict[str, Any]) -> list[tuple[Any, ...]]:
    if settings().roles is None:
        return queries.fetch_lean("enqueue_job", row)
    with guard.bringing() as token:
        if token is not None:
            return queries.fetch_bound("enqueue_job_signed", {**row, "token": token})
        return queries.fetch_lean("enqueue_job", row)


def _insert_unique(
    calls: Sequence[_Call], rows: Sequence[dict[str, Any]], told: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """One statement, whoever holds the keys: it finds them, or changes what waits under them, itself."""
    said = [
        {
            **row,
            **(asdict(call.claims) if call.claims else {}),
            "n": n,
            "expires_at": call.task.expires_at,
        }
        for n, (call, row) in enumerate(zip(calls, rows, strict=True))
    ]
    text = json.dumps(said, ensure_ascii=False, default=datetime.isoformat)
    with guard.bringing() if len(calls) == 1 else contextlib.nullcontext() as token:
        run = queries.fetch if token is None else queries.fetch_bound
        return run("enqueue_unique", {"calls": text, "token": token, **told})


def _row(call: _Call) -> dict[str, Any]:
    return {
        "queue_name": call.task.queue_name,
        "task_name": call.task.name,
        "priority": call.task.stored_priority,
        "lock": call.lock,
        "queueing_lock": call.queueing_lock,
        "args": call.text,
        "scheduled_at": call.task.run_after,
        "unique_key": call.unique_key,
        "tenant_id": call.tenant_id,
    }


def _twin(call: _Call) -> tuple[int, datetime] | None:
    rows = queries.fetch(
        "find_twin",
        {
            "queueing_lock": call.queueing_lock,
            "tenant_id": call.tenant_id,
            "task_name": call.task.name,
            "unique_key": call.unique_key,
        },
    )
    return (rows[0][0], rows[0][1]) if rows else None


def _found(call: _Call, holder: Enqueued) -> tasks_api.TaskResult[Any]:
    """Of the job that stands for a call: it has its own arguments, and may be running by now."""
    try:
        return history.result(str(holder.job_id))
    except tasks_api.TaskResultDoesNotExist:
        raise EnqueueError(
            f"Task {call.task.name!r}: job {holder.job_id} holds this call's key, and there is nothing to answer with: its task is "
            "declared nowhere here, or nothing of it is kept any more. Nothing was written. Declare that task, or cancel the job "
            f"(`manage_task_queue cancel {holder.job_id}`); a period's key is let go with its row in youtility_tasks_uniquekey."
        ) from None


def _result(call: _Call, written: Enqueued) -> tasks_api.EnqueuedResult[Any]:
    if written.found is not None:
        return tasks_api.EnqueuedResult.of(written.found, is_new=False, is_replaced=written.is_replaced)
    result: tasks_api.EnqueuedResult[Any] = tasks_api.EnqueuedResult(
        task=call.task.stands_for or call.task,
        id=str(written.job_id),
        status=tasks_api.TaskResultStatus.READY,
        enqueued_at=written.enqueued_at,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=call.shown["args"] if call.task.verbatim else [],
        kwargs=call.shown["kwargs"] if call.task.verbatim else call.shown,
        backend=call.task.backend,
        errors=[],
        worker_ids=[],
    )
    tasks_api.task_enqueued.send(type(call.task.get_backend()), task_result=result)
    return result
