"""Seals the arguments of jobs in the queue anew under the present key, so that an old one can go.

What has ended keeps its arguments in the history as they were sealed: without their key nobody opens them again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from youtility_tasks import audit, foreign, queries, registry
from youtility_tasks.conf import settings
from youtility_tasks.errors import BrokenSecret, UnknownSecretKey
from youtility_tasks.secrets import keyring, marks, sealing
from youtility_tasks.status import JobStatus
from youtility_tasks.tenancy import owner

BATCH = 500
"""Jobs that one transaction changes."""


@dataclass(frozen=True, slots=True)
class _Resealed:
    job_id: int
    tenant_id: int
    args: str
    keys: tuple[str | None, ...]
    """Lock, queueing lock, unique key, done key."""
    new_keys: tuple[str | None, ...]


@dataclass(slots=True)
class Rekeyed:
    """What was sealed anew, or would be, and what was left."""

    key_id: str
    """The present key."""
    by_status: Counter[str] = field(default_factory=Counter)
    """Jobs that now are under the present key, by status."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Jobs left as they are by the id of a key that the settings do not have."""
    broken: list[int] = field(default_factory=list)
    """Jobs left as they are: their arguments do not open with the key they name."""
    is_all: bool = True
    """False when `limit` was reached first; another run takes up the rest."""

    @property
    def count(self) -> int:
        """Jobs sealed anew."""
        return self.by_status.total()


def rekey(
    *,
    batch: int = BATCH,
    limit: int | None = None,
    tenant_id: int | None = None,
    dry_run: bool = False,
    reason: str = "",
) -> Rekeyed:
    """Seal anew what is not under the present key: waiting and running jobs and dead letters, `batch` a transaction.

    It may be stopped at any moment and run again: what it has done stays done and is not looked at twice. Workers may run.
    Locks and keys that were made of a marked argument follow, except those of a running job and where another job has the new one;
    a key's period begins anew.
    Each transaction enters its jobs in the audit log, a row a tenant. With the setting `roles` it goes from tenant to tenant,
    as the user that migrates.
    """
    done = Rekeyed(keyring.current().key_id)
    left = limit
    for whose in [tenant_id] if tenant_id is not None else _whose(done.key_id):
        left = _rekey(whose, done, batch=batch, left=left, dry_run=dry_run, reason=reason)
        if left == 0:
            done.is_all = False
            break
    return done


def _whose(key_id: str) -> list[int | None]:
    """The tenants with something to seal anew, one after the other; None: all in one go, where nothing keeps them apart."""
    if settings().roles is None:
        return [None]
    with owner.acting(None):
        return [tenant_id for (tenant_id,) in queries.fetch("tenants_under_old_keys", {"key_id": key_id})]


def _rekey(whose: int | None, done: Rekeyed, *, batch: int, left: int | None, dry_run: bool, reason: str) -> int | None:
    """How many more may be looked at, after these; 0 when that is why it ended."""
    after = 0
    while left is None or left > 0:
        n = batch if left is None else min(batch, left)
        with owner.acting(whose):
            rows = queries.fetch(
                "jobs_under_old_keys", {"after": after, "n": n, "key_id": done.key_id, "tenant_id": whose}
            )
            resealed = [each for row in rows if (each := _reseal(row, done)) is not None]
            if not dry_run:
                _write(resealed)
                _enter(resealed, done.key_id, reason)
        left = None if left is None else left - len(rows)
        if len(rows) < n:
            return left
        after = rows[-1][0]
    return left


def _enter(jobs: Sequence[_Resealed], key_id: str, reason: str) -> None:
    for tenant_id in sorted({each.tenant_id for each in jobs}):
        its = [each.job_id for each in jobs if each.tenant_id == tenant_id]
        target = f"job {its[0]}" if len(its) == 1 else f"job {its[0]} and {len(its) - 1} more"
        audit.write("rekey", target, tenant_id=tenant_id, reason=reason, after={"key": key_id, "jobs": its})


def _reseal(row: tuple[Any, ...], done: Rekeyed) -> _Resealed | None:
    """The job anew, counted; None when it is left as it is."""
    job_id, task_name, tenant_id, args, status, *keys = row
    before, declared = _read(args), registry.resolve(task_name)
    if before is None:
        done.broken.append(job_id)
        return None
    verbatim = (
        declared.verbatim if declared is not None else before.keys() - {foreign.CALLED_WITH} == {"args", "kwargs"}
    )
    try:
        stored, digests = sealing.reseal(sealing.Place(tenant_id, task_name, marks.NONE, verbatim), before)
    except UnknownSecretKey as error:
        done.unknown[error.key_id] += 1
        return None
    except (BrokenSecret, TypeError):  # SQL may have written anything that looks like ours
        done.broken.append(job_id)
        return None
    if stored == before:  # it only looks like ours, somewhere inside an argument
        return None
    done.by_status[status] += 1
    text = json.dumps(stored, ensure_ascii=False, separators=(",", ":"))
    if status == JobStatus.DOING:
        digests = {}
    return _Resealed(job_id, tenant_id, text, tuple(keys), tuple(_moved(key, digests) for key in keys))


def _read(args: str) -> dict[str, Any] | None:
    """A job's arguments; None where SQL has written something that looks sealed and is none."""
    try:
        found = json.loads(args)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _write(jobs: Sequence[_Resealed], *, keep_locks: bool = False) -> None:
    if not jobs:
        return
    locks, queueing_locks, unique_keys, done_keys = zip(
        *(each.keys if keep_locks else each.new_keys for each in jobs), strict=True
    )
    parameters = {
        "ids": [each.job_id for each in jobs],
        "args": [each.args for each in jobs],
        "locks": list(locks),
        "queueing_locks": list(queueing_locks),
        "unique_keys": list(unique_keys),
        "done_keys": list(done_keys),
    }
    try:
        with transaction.atomic(using=settings().database):
            queries.run("replace_arguments", parameters)
    except IntegrityError:
        # Another job has a new lock or key already: one by one, and that one keeps its own.
        if len(jobs) == 1 and keep_locks:
            raise
        for each in jobs:
            _write([each], keep_locks=len(jobs) == 1)


def _moved(key: str | None, digests: dict[str, str]) -> str | None:
    for old, new in digests.items():
        key = None if key is None else key.replace(old, new)
    return key
