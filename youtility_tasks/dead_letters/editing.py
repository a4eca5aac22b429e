"""Other arguments for a dead letter: checked as `enqueue` checks a call, before anything is written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from youtility_tasks import enqueue, payload, registry
from youtility_tasks.conf import settings
from youtility_tasks.declaration import Task
from youtility_tasks.errors import EnqueueError, Refused, UnknownTask, WrongArguments, did_you_mean
from youtility_tasks.models import Job
from youtility_tasks.secrets import sealing
from youtility_tasks.tenancy import roles
from youtility_tasks.uniqueness import Unique


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it was looked at."""

    job_id: int
    claim_number: int
    tenant_id: int
    task_name: str
    lock: str | None = None
    queueing_lock: str | None = None
    step_id: int | None = None
    unique_key: str | None = None
    done_key: str | None = None
    args: str = "{}"
    """As the database has them, text of JSON."""

    @classmethod
    def read(cls, found: QuerySet[Job], *, with_args: bool, limit: int | None = None) -> list[Letter]:
        """Letters from their rows, in the order of their ids. `with_args`: what an operator of all tenants may not read, too."""
        columns = ["pk", "claim_number", "tenant_id", "task_name", "lock", "queueing_lock", "step_id"]
        if with_args:
            found = found.annotate(args_text=Cast("args", TextField()))
            columns += ["unique_key", "done_key", "args_text"]
        return [cls(*row) for row in found.order_by("pk").values_list(*columns)[:limit]]


@dataclass(frozen=True, slots=True)
class Edit:
    """What a letter becomes."""

    args: str
    lock: str | None
    queueing_lock: str | None


def task_of(task_name: str) -> Task:
    """The task under the very name that the letters have, which may be an alias by now: it is what their arguments are sealed for.

    Raises UnknownTask.
    """
    found = registry.resolve(task_name)
    if found is None:
        raise UnknownTask(task_name, registry.registered())
    return dataclasses.replace(found, task_name=task_name)


def refuse_operators() -> None:
    """Raises Refused for who acts for all tenants: who may not read arguments cannot change one among them."""
    if roles.acting_as() == "ops":
        raise Refused(
            "An operator of all tenants reads no arguments, and so changes none: act for the tenant (--tenant N)."
        )


def check_changes(task: Task, changes: Mapping[str, Any], tenant_id: int) -> dict[str, Any]:
    """Arguments to be given anew, as they may be stored: marked ones sealed for this task of this tenant.

    Raises WrongArguments for a name that the task does not take, and NotJson, TooDeep or TooLarge.
    """
    parameters = task.signature.parameters
    names = [name for name, each in parameters.items() if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    takes_more = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for name in changes:
        if name not in names and (not takes_more or name == payload.PLACE):
            raise WrongArguments(
                f"Task {task.name!r} takes no argument {name!r}; it takes {', '.join(names) or 'none'}."
                f"{did_you_mean(name, names)} Nothing was changed."
            )
    limits: dict[str, Any] = {"max_bytes": settings().max_args_bytes, "max_depth": settings().max_args_depth}
    if task.marks:
        text = sealing.seal(_place(task, tenant_id), dict(changes), **limits).text
    else:
        text = payload.check(f"Task {task.name!r}", dict(changes), **limits)
    checked: dict[str, Any] = json.loads(text)
    return checked


def digest_of(task: Task, changes: Mapping[str, Any], tenant_id: int) -> Any:
    """What is the same for the same changes, and shows no marked value."""
    return sealing.digests(_place(task, tenant_id), dict(changes)) if task.marks else dict(changes)


def edit(task: Task, letter: Letter, changes: Mapping[str, Any]) -> Edit:
    """The letter with these arguments in the place of its own, for the current tenant, whose it is.

    Its locks follow if they were made from the arguments by the task's declaration; those that `using` gave stay.
    Raises what `enqueue` raises for such a call, Refused for a step of a workflow, and where its unique key would be another; UnknownSecretKey or BrokenSecret where an argument
    of its own cannot be opened.
    """
    if letter.step_id is not None:
        raise Refused(
            f"Job {letter.job_id} ({letter.task_name}) is a step of a workflow, and has its arguments from the run: "
            "`retry` gives it new attempts as it is, `workflow retry` the run's steps."
        )
    stored = json.loads(letter.args)
    checked = _checked(task, letter, stored, changes)
    is_made_of_arguments = callable(task.queueing_lock) or (task.rule is not None and checked.queueing_lock is not None)
    before = (
        _as_it_was(task, stored) if callable(task.lock) or is_made_of_arguments or checked.key is not None else None
    )
    _refuse_another_key(task, letter, before, checked)
    lock, queueing_lock = letter.lock, letter.queueing_lock
    if callable(task.lock) and (before is None or before.lock == lock):
        lock = checked.lock
    if is_made_of_arguments and (before is None or before.queueing_lock == queueing_lock or queueing_lock is None):
        queueing_lock = checked.queueing_lock
    return Edit(checked.text, lock, queueing_lock)


def _refuse_another_key(task: Task, letter: Letter, before: enqueue.Checked | None, checked: enqueue.Checked) -> None:
    """It would stand for calls with the arguments that it has no more, and for none with those that it has."""
    if before is None or before.key == checked.key:
        return
    is_for_a_period = isinstance(task.rule, Unique) and task.rule.while_ is None
    if is_for_a_period or before.key in (letter.unique_key, letter.done_key):
        raise Refused(
            f"Job {letter.job_id} ({letter.task_name}) is unique by arguments that would be others: what it stands for cannot change. "
            "Discard it and enqueue the task with the new arguments, or retry it without them."
        )


def _checked(task: Task, letter: Letter, stored: dict[str, Any], changes: Mapping[str, Any]) -> enqueue.Checked:
    if not task.marks:
        return enqueue.check_stored(task, _with(task, stored, changes))
    # In clear, as `enqueue` shows them to the task's guard; checked, they are sealed again.
    whole = sealing.Place(letter.tenant_id, task.name, task.marks, task.verbatim)
    before = sealing.unseal(whole, stored).stored
    new = sealing.unseal(_place(task, letter.tenant_id), dict(changes)).stored
    try:
        return enqueue.check_stored(task, _with(task, before, new))
    except EnqueueError as error:
        kind = type(error).__name__
    # Here, so that an error that may quote a marked value, which its reader never gave, is not even its context.
    raise WrongArguments(
        f"Job {letter.job_id} ({letter.task_name}): with its other arguments these would not be taken ({kind}). More is not said, "
        "since some of them are marked."
    )


def _with(task: Task, stored: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    if task.verbatim:
        return {**stored, "kwargs": {**stored.get("kwargs", {}), **changes}}
    return {**stored, **changes}


def _as_it_was(task: Task, stored: dict[str, Any]) -> enqueue.Checked | None:
    try:
        return enqueue.check_stored(task, stored)
    except Exception:  # a lock is made by the task's own code, which may want what these arguments have not
        return None


def _place(task: Task, tenant_id: int) -> sealing.Place:
    # By name also where a call is stored as it was made: what is given anew is given by name.
    return sealing.Place(tenant_id, task.name, task.marks)
