"""Gives the dead letters that a filter chooses new attempts, batch by batch, so that they come due at a rate.

A redrive is a row. Each batch is one short transaction that moves letters and notes how far it has come, so that whoever is killed in
the middle loses nothing: the same call again, or `go_on`, continues behind the last batch that is there. Two that go on with
one redrive take its batches in turn; two redrives that want the same letters move each of them once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from youtility_tasks import audit, membership, queries, tenants
from youtility_tasks.conf import settings
from youtility_tasks.errors import BrokenSecret, EnqueueError, RedriveNotFound, Refused, UnknownSecretKey
from youtility_tasks.models import Redrive
from youtility_tasks.tenants import current_tenant

from .choosing import Letters
from .editing import Edit, Letter, check_changes, digest_of, edit, refuse_operators, task_of
from .moving import Moved, enter, move

BATCH = 500
"""Letters that one transaction moves."""
SLOWEST, FASTEST = 1e-4, 1e6
"""Jobs a second."""
MOST_REFUSED = 100
"""Of so many of a redrive it is kept which they are and why; of the others how many."""

logger = logging.getLogger(__name__)


def redrive(
    wanted: Letters,
    *,
    changes: Mapping[str, Any] | None = None,
    rate_per_s: float | None = None,
    reason: str = "",
    batch: int = BATCH,
    most_s: float | None = None,
) -> Redrive:
    """Give these letters of the current tenant (outside of one: of all) new attempts, and return the redrive as it then stands.

    They come due from now on, `rate_per_s` a second (None: all at once). What fails from now on is not among them. `changes` are
    arguments given anew, by name: checked here and, with each letter's other arguments, before that one is moved. If the very same
    is unfinished, this goes on with it. After `most_s` seconds it returns unfinished. Each batch is a transaction of its own, unless
    the caller has opened one.
    Raises NotAllowed, Refused, and what `enqueue` raises for such changes; then nothing was written.
    """
    membership.allow("redrive", current_tenant())
    _check_rate(rate_per_s)
    redrive_id = _begin(wanted, changes or {}, rate_per_s, reason)
    return _go_on(redrive_id, batch, most_s)


def would(wanted: Letters, *, changes: Mapping[str, Any] | None = None, rate_per_s: float | None = None) -> int:
    """How many letters `redrive` would look at now; raises what it would raise, and writes nothing."""
    membership.allow("redrive", current_tenant())
    _check_rate(rate_per_s)
    _checked(wanted, changes or {})
    return wanted.find(current_tenant()).count()


def go_on(redrive_id: int, *, batch: int = BATCH, most_s: float | None = None) -> Redrive:
    """Go on with a redrive where it stopped; one that has ended is left as it is. Raises RedriveNotFound, NotAllowed."""
    membership.allow("redrive", current_tenant())
    get(redrive_id)
    return _go_on(redrive_id, batch, most_s)


def stop(redrive_id: int, reason: str = "") -> Redrive:
    """Let a redrive move no more letters; those that it has moved wait for their time all the same: a pause of their task holds them back.

    Raises Refused when it has ended, RedriveNotFound, NotAllowed.
    """
    membership.allow("stop redrive", current_tenant())
    row = get(redrive_id)
    with transaction.atomic(using=settings().database):
        if not queries.run("stop_redrive", {"redrive_id": redrive_id}):
            raise Refused(f"Redrive {redrive_id} has ended: {row.done_count} of {row.total_count} letters were moved.")
        audit.write("stop redrive", str(row), tenant_id=row.tenant_id, reason=reason)
    return get(redrive_id)


def get(redrive_id: int) -> Redrive:
    """A redrive of the current tenant (outside of one: of anybody). Raises RedriveNotFound."""
    row: Redrive | None = _seen().filter(pk=redrive_id).first()
    if row is None:
        raise RedriveNotFound(redrive_id)
    return row


def listing(limit: int = 50, *, before_id: int | None = None) -> list[Redrive]:
    """The redrives of the current tenant (outside of one: of all), newest first; `before_id`: only those with a smaller id."""
    found = _seen() if before_id is None else _seen().filter(pk__lt=before_id)
    return list(found.order_by("-pk")[:limit])


def _seen() -> Any:
    return Redrive.objects.for_tenant(current_tenant()).defer("edits")  # which an operator may not read


# -- the beginning


def _check_rate(rate_per_s: float | None) -> None:
    is_number = isinstance(rate_per_s, int | float) and not isinstance(rate_per_s, bool)
    if rate_per_s is not None and not (is_number and SLOWEST <= rate_per_s <= FASTEST):
        raise Refused(
            f"A rate is from {SLOWEST:g} to {FASTEST:g} jobs a second, or None for all at once; given: {rate_per_s!r}."
        )


def _checked(wanted: Letters, changes: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The changes as they may be stored, and what tells them from others; tried on the first letter."""
    if not changes:
        return {}, {}
    tenant_id = current_tenant()
    refuse_operators()
    if wanted.task_name is None or tenant_id is None:
        raise Refused(
            "Arguments are given anew to letters of one task of one tenant: name the task (--task NAME) and the tenant (--tenant N). "
            "`retry JOB --set` changes a single job's, also a sweep's."
        )
    task = task_of(wanted.task_name)
    stored = check_changes(task, changes, tenant_id)
    for letter in _letters(wanted, tenant_id, 0, 1, with_args=True):
        edit(task, letter, stored)
    return stored, digest_of(task, changes, tenant_id)


def _begin(wanted: Letters, changes: Mapping[str, Any], rate_per_s: float | None, reason: str) -> int:
    tenant_id = current_tenant()
    stored, digest = _checked(wanted, changes)
    said = wanted.said()
    asked_for = json.dumps([tenant_id, said, rate_per_s and float(rate_per_s), digest], sort_keys=True)
    row = {
        "tenant_id": tenant_id,
        "task_name": wanted.task_name or "",
        "queue_name": wanted.queue_name or "",
        "fingerprint": wanted.fingerprint or "",
        "failed_since": wanted.failed_since,
        "failed_until": wanted.failed_until,
        "rate_per_s": rate_per_s,
        "edits": json.dumps(stored),
        "edited": json.dumps(sorted(stored)),
        "key": hashlib.sha256(asked_for.encode()).hexdigest(),
        "reason": audit.storable(reason),
        "started_by": audit.actor(),
    }
    while True:
        with transaction.atomic(using=settings().database):
            begun = queries.fetch("begin_redrive", row)
            if begun:
                ((redrive_id, until),) = begun
                total = _within(wanted, until).find(tenant_id).count()
                Redrive.objects.filter(pk=redrive_id).update(total_count=total)
                after = {
                    "redrive": redrive_id,
                    "filter": said,
                    "rate_per_s": rate_per_s,
                    "edited": sorted(stored),
                    "letters": total,
                }
                audit.write("redrive", f"redrive {redrive_id}", tenant_id=tenant_id, reason=reason, after=after)
                logger.info("redrive begun id=%s tenant=%s letters=%s", redrive_id, tenant_id, total)
                return int(redrive_id)
        same = Redrive.objects.unfinished().filter(tenant_id=tenant_id, key=row["key"]).values_list("pk", flat=True)
        for redrive_id in same:
            return int(redrive_id)
        # It has ended just now: then this is another one.


def _within(wanted: Letters, until: datetime) -> Letters:
    return Letters(
        task_name=wanted.task_name,
        queue_name=wanted.queue_name,
        fingerprint=wanted.fingerprint,
        failed_since=wanted.failed_since,
        failed_until=until,
    )


# -- its batches


def _go_on(redrive_id: int, batch: int, most_s: float | None) -> Redrive:
    ends = math.inf if most_s is None else time.monotonic() + most_s
    while _batch(redrive_id, batch) and time.monotonic() < ends:
        pass
    return get(redrive_id)


def _batch(redrive_id: int, n: int) -> bool:
    """Move the next letters and note it, in one transaction; whether there may be more."""
    with transaction.atomic(using=settings().database):
        held = queries.fetch("hold_redrive", {"redrive_id": redrive_id})
        if not held:  # it has ended, by another's hand perhaps
            return False
        ((tenant_id, task_name, queue_name, fingerprint, since, until, rate, edited, reason, after_id, next_at),) = held
        names = json.loads(edited) if isinstance(edited, str) else edited
        wanted = Letters(
            task_name=task_name or None,
            queue_name=queue_name or None,
            fingerprint=fingerprint or None,
            failed_since=since,
            failed_until=until,
        )
        letters = _letters(wanted, tenant_id, after_id, n, with_args=bool(names))
        spacing_s = 1 / rate if rate else 0.0
        moved = Moved()
        with _tenant_of(tenant_id) if names else contextlib.nullcontext():
            edits = _edits(redrive_id, task_name, letters, moved) if names else {}
        if left := [each for each in letters if each.job_id not in moved.refused]:
            move(left, edits, first_at=next_at, spacing_s=spacing_s, tenant_id=tenant_id, into=moved)
        is_over = len(letters) < n
        _note(redrive_id, moved, letters[-1].job_id if letters else after_id, is_over, next_at, spacing_s)
        more = {"redrive": redrive_id, **({"edited": names} if names else {})}
        enter("redrive", moved.done, reason=reason, **more)
    return not is_over


def _note(redrive_id: int, moved: Moved, after_id: int, is_over: bool, next_at: datetime, spacing_s: float) -> None:
    (so_far,) = Redrive.objects.filter(pk=redrive_id).values_list("refused_count", flat=True)
    room = max(0, MOST_REFUSED - so_far)
    told = [{"job": job_id, "why": why} for job_id, why in sorted(moved.refused.items())[:room]]
    queries.run(
        "note_redrive",
        {
            "redrive_id": redrive_id,
            "after_id": after_id,
            "done": len(moved.done),
            "refused_count": len(moved.refused),
            "refused": json.dumps(told),
            "next_at": next_at + timedelta(seconds=len(moved.done) * spacing_s),
            "is_over": is_over,
        },
    )
    if is_over:
        queries.run("forget_edits", {"redrive_id": redrive_id})
    if moved.done or moved.refused or is_over:
        logger.info(
            "redrive id=%s moved=%s refused=%s%s",
            redrive_id, len(moved.done), len(moved.refused), " ended" if is_over else "",
        )  # fmt: skip


def _edits(redrive_id: int, task_name: str, letters: list[Letter], moved: Moved) -> dict[int, Edit]:
    """What these letters become; those that it is not good for are refused."""
    refuse_operators()
    (changes,) = Redrive.objects.filter(pk=redrive_id).values_list("edits", flat=True)
    task, edits = task_of(task_name), {}
    for letter in letters:
        try:
            edits[letter.job_id] = edit(task, letter, changes)
        except EnqueueError as refused:  # not its words: a guard may quote arguments, and an operator reads this
            moved.refused[letter.job_id] = (
                f"Job {letter.job_id} ({letter.task_name}) stays a dead letter: with its other arguments the new ones would not be "
                f"taken ({type(refused).__name__}). `retry {letter.job_id} --set` says more."
            )
        except (Refused, UnknownSecretKey, BrokenSecret) as refused:
            moved.refused[letter.job_id] = f"Job {letter.job_id} ({letter.task_name}) stays a dead letter: {refused}"
    return edits


@contextlib.contextmanager
def _tenant_of(tenant_id: int | None) -> Iterator[None]:
    """Inside the tenant whose arguments they are; whoever goes on with a redrive may stand outside of it."""
    if tenant_id is None or current_tenant() is not None:
        yield
        return
    with tenants.tenant(tenant_id):
        yield


def _letters(wanted: Letters, tenant_id: int | None, after_id: int, n: int, *, with_args: bool) -> list[Letter]:
    return Letter.read(wanted.find(tenant_id).filter(pk__gt=after_id), with_args=with_args, limit=n)
