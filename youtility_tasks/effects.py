"""The ledger of what must happen once: reserve, do, mark done; after a crash it is repeated under the same id.

Database effects (`once`) are written in the caller's transaction with the rows themselves: exactly once. Outside
effects (`perform`: a mail, a message, a blob) are reserved and committed, done, and marked: exactly once, except when
the process dies between doing and marking; then they are done again with the same message id, so that a receiver can
drop the second (catalog.md 2.0). Keys are unique within a tenant.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from . import failpoints, queries, rehearsal, running
from .conf import settings
from .errors import EffectInTransaction, NotJson, NotReady
from .models import TaskEffect
from .payload import check as check_json
from .payload import clean_text
from .tenants import ALL, current_tenant

LONGEST_KEY = 1_000
"""Bytes; an index entry of PostgreSQL has room for some 2,700."""

LEASE_S = 120
"""How long another job waits for an effect that was reserved and never marked."""


@dataclass(slots=True)
class Part:
    """Of an effect that consists of several, as a mail to several people: what is done of it. Whoever does it says so here."""

    done: str = ""
    """Words of the one who does it; kept while the effect is pending, and forgotten when it is done."""


_performing: ContextVar[Part | None] = ContextVar("performing", default=None)


def part() -> Part | None:
    """Of the effect that is being performed, what earlier attempts have done; None outside of `perform`."""
    return _performing.get()


@dataclass(frozen=True, slots=True)
class Pending:
    """An outside effect that is still to be done."""

    key: str
    payload: dict[str, Any]
    message_id: str
    bu_id: int | None


def once(key: str, *, bu_id: int | None = None) -> bool:
    """Enter the key with the rows of the present transaction; True the first time, False when it was done before."""
    return bool(once_many([key], bu_id=bu_id))


def once_many(keys: Iterable[str] | Mapping[str, int | None], *, bu_id: int | None = None) -> set[str]:
    """`once` for many keys in one statement; the ones that were new. A mapping says for each key which site it is about.

    A second transaction with one of the keys waits here until the first one has ended.
    """
    sites = keys if isinstance(keys, Mapping) else dict.fromkeys(keys, bu_id)
    if not sites:
        return set()
    if rehearsal.now is not None:
        return rehearsal.now.enter(((_checked(key), None) for key in sites), is_done=True)
    wanted = {**_who(), "keys": [_checked(key) for key in sites], "bu_ids": list(sites.values())}
    return {key for (key,) in queries.fetch("effect_once", wanted)}


def promise(key: str, *, payload: Mapping[str, Any], bu_id: int | None = None) -> bool:
    """Write into the present transaction that the effect is to be done after it (the outbox); False if the key is known."""
    return bool(promise_many([(key, payload, bu_id)]))


def promise_many(promises: Iterable[tuple[str, Mapping[str, Any], int | None]]) -> set[str]:
    """`promise` for many keys, each with its payload and site, in one statement; the keys that were new."""
    listed = list(promises)
    if not listed:
        return set()
    if rehearsal.now is not None:
        return rehearsal.now.enter(((_checked(key), payload) for key, payload, _ in listed), is_done=False)
    wanted = {
        **_who(),
        "keys": [_checked(key) for key, _, _ in listed],
        "payloads": [_as_json(key, payload) for key, payload, _ in listed],
        "bu_ids": [bu_id for _, _, bu_id in listed],
    }
    return {key for (key,) in queries.fetch("effect_promise", wanted)}


def pending(prefix: str, *, limit: int = 200) -> list[Pending]:
    """The current tenant's promised effects whose key begins with `prefix` and that nobody is doing now, oldest first."""
    if rehearsal.now is not None:
        return _rehearsed(prefix)[:limit]
    waiting = TaskEffect.objects.filter(tenant_id=_tenant(), key__startswith=prefix).exclude(status=TaskEffect.DONE)
    mine = Q(status=TaskEffect.PENDING) | Q(lease_until__lt=Now())
    around = running.current.get()
    if around is not None:
        mine |= Q(job_id=around.job_id)
    return [
        Pending(row.key, row.payload or {}, message_id(row.key), row.bu_id)
        for row in waiting.filter(mine).order_by("created_at", "pk")[:limit]
    ]


def keep_answer(key: str, answer: Mapping[str, Any]) -> None:
    """Keep what the effect of a key entered by `once` has answered, in the same transaction, for whoever asks again."""
    text = _as_json(key, answer)
    if rehearsal.now is not None:
        rehearsal.now.effects[_checked(key)] = dict(answer)
        return
    TaskEffect.objects.filter(tenant_id=_tenant(), key=_checked(key)).update(payload=json.loads(text))


def answer(key: str) -> dict[str, Any]:
    """What `keep_answer` has kept; empty when it has kept nothing."""
    if rehearsal.now is not None:
        return rehearsal.now.effects.get(key) or {}
    kept = TaskEffect.objects.filter(tenant_id=_tenant(), key=key).values_list("payload", flat=True).first()
    return kept if isinstance(kept, dict) else {}


def perform(
    key: str,
    do: Callable[[str], object],
    *,
    payload: Mapping[str, Any] | None = None,
    bu_id: int | None = None,
    then: Callable[[], object] | None = None,
) -> bool:
    """Do an outside effect once: reserve and commit, call `do(message_id)`, mark it done.

    `then` is called in the transaction that marks it done, for rows that are to say so too. True when it was done now,
    False when it had been done before. If `do` raises, the effect is pending again, with what `do` has noted in `part()` for
    the next attempt, and the error goes on. Raises NotReady while another job holds the reservation (for at most LEASE_S seconds), and
    EffectInTransaction inside a transaction, whose rollback could not take the effect back.
    """
    if rehearsal.now is not None:
        return _rehearse(rehearsal.now, key, payload, then)
    if queries.in_transaction():
        raise EffectInTransaction(
            f"effects.perform({key!r}) inside a transaction: a rollback could not unsend it. "
            "Use effects.promise() here and perform it after the commit."
        )
    who = _who()
    text = None if payload is None else _as_json(key, payload)
    wanted = {**who, "key": _checked(key), "payload": text, "bu_id": bu_id, "lease_s": LEASE_S}
    reserved = queries.fetch("effect_reserve", wanted)
    if not reserved:
        if is_done(key):
            return False
        raise NotReady(f"The effect {key!r} is being done by another job; if that died, it is free after {LEASE_S} s.")
    part = Part(reserved[0][1])
    token = _performing.set(part)
    try:
        do(message_id(key))
    except BaseException:
        queries.run("effect_settle", {**who, "key": key, "status": TaskEffect.PENDING, "note": clean_text(part.done)})
        raise
    finally:
        _performing.reset(token)
    failpoints.reach("after_effect")
    with transaction.atomic(using=settings().database) if then is not None else contextlib.nullcontext():
        queries.run("effect_settle", {**who, "key": key, "status": TaskEffect.DONE, "note": ""})
        if then is not None:
            then()
    return True


def is_done(key: str) -> bool:
    """Whether the current tenant's effect is done."""
    return bool(done_among([key]))


def done_among(keys: Iterable[str]) -> set[str]:
    """Which of the keys are done by the current tenant, asked at once."""
    if rehearsal.now is not None:
        return rehearsal.now.done.intersection(keys)
    done = TaskEffect.objects.filter(tenant_id=_tenant(), key__in=list(keys), status=TaskEffect.DONE)
    return set(done.values_list("key", flat=True))


def unfinished(prefix: str) -> list[Pending]:
    """Every promised effect of the current tenant that is not done, also those that are being done now; oldest first."""
    if rehearsal.now is not None:
        return _rehearsed(prefix)
    waiting = TaskEffect.objects.filter(tenant_id=_tenant(), key__startswith=prefix).exclude(status=TaskEffect.DONE)
    return [
        Pending(row.key, row.payload or {}, message_id(row.key), row.bu_id)
        for row in waiting.order_by("created_at", "pk")
    ]


def payload_of(key: str) -> dict[str, Any] | None:
    """What the current tenant promised with a key, done or not; None when the key is unknown."""
    if rehearsal.now is not None:
        return (rehearsal.now.effects[key] or {}) if key in rehearsal.now.effects else None
    row = TaskEffect.objects.filter(tenant_id=_tenant(), key=key).only("payload").first()
    return None if row is None else row.payload or {}


def skip(key: str, reason: str) -> None:
    """Mark an effect done without doing it, and say why."""
    if rehearsal.now is not None:
        rehearsal.now.done.add(_checked(key))
        return
    queries.run("effect_skip", {**_who(), "key": _checked(key), "note": clean_text(reason)})


def forget(keys: Iterable[str]) -> int:
    """Drop keys, in the transaction that deletes the rows they stand for; how many there were."""
    if rehearsal.now is not None:
        return sum(rehearsal.now.effects.pop(key, rehearsal) is not rehearsal for key in list(keys))
    return TaskEffect.objects.filter(tenant_id=_tenant(), key__in=list(keys)).delete()[0]


def message_id(key: str) -> str:
    """The id under which an effect is repeated if it must be: a function of tenant and key alone (RFC 5322 form)."""
    digest = hashlib.sha256(f"{_tenant()}:{key}".encode()).hexdigest()
    return f"<{digest[:40]}@youtility-tasks>"


def _rehearsed(prefix: str) -> list[Pending]:
    ledger = rehearsal.now
    if ledger is None:
        return []
    open_keys = [key for key in ledger.effects if key.startswith(prefix) and key not in ledger.done]
    return [Pending(key, ledger.effects[key] or {}, message_id(key), None) for key in open_keys]


def _rehearse(
    ledger: rehearsal.Rehearsal, key: str, payload: Mapping[str, Any] | None, then: Callable[[], object] | None
) -> bool:
    """`perform` in a rehearsal: nothing is done, and the task goes on as if it were."""
    ledger.enter([(_checked(key), payload)], is_done=False)
    if key in ledger.done:
        return False
    ledger.done.add(key)
    if then is not None:
        then()
    return True


def _checked(key: str) -> str:
    if isinstance(key, str) and 0 < len(key.encode(errors="replace")) <= LONGEST_KEY and clean_text(key) == key:
        return key
    raise NotJson(f"an effect's key is text of 1 to {LONGEST_KEY} characters without NUL; given: {key!r:.80}.")


def _as_json(key: str, payload: Mapping[str, Any]) -> str:
    limits = settings()
    return check_json(
        f"The effect {key!r}",
        dict(payload),
        max_bytes=limits.max_args_bytes,
        max_depth=limits.max_args_depth,
        root="payload",
    )


def _tenant() -> int:
    return current_tenant() or ALL


def _who() -> dict[str, Any]:
    around = running.current.get()
    return {
        "tenant_id": _tenant(),
        "job_id": around.job_id if around else None,
        "task_name": around.task_name if around else "",
    }
