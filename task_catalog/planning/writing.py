"""Writes the occurrences of plans: everything in one transaction, or nothing of it (D8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction

from task_catalog import entities, noc
from task_catalog.models import PlanFingerprint
from task_catalog.planning import keys, questions
from task_catalog.planning.drafts import Draft
from task_catalog.planning.edited import delete_untouched
from task_catalog.planning.material import EDITABLE, Material, roots_of
from task_catalog.planning.rows import RowMaker
from task_catalog.rules import scheduling as rules
from youtility_tasks import Transient, effects

if TYPE_CHECKING:
    from task_catalog.facility.models import Job

LONGEST_WAIT_S = 10
"""How long for a plan, or another row, that somebody holds: a page left open must not keep all other plans waiting."""
_ROWS_A_STATEMENT = 1_250
"""What PostgreSQL can bind at once, 65,535 values, is 1,456 rows of an occurrence; Django before 6.0 does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What shall be there after one plan's transaction."""

    plan: Job
    drafts: Sequence[Draft]
    found: int
    """Occurrences of the window that were there before."""
    last: datetime | None
    """P of the last occurrence, drafted or found."""
    fingerprint: str
    is_first: bool
    """Nobody has planned it before, so there is no fingerprint yet."""
    edited: bool
    """It looks different than when it was planned last."""
    reminder_rules: Sequence[rules.ReminderRule]
    row_count: int = 0
    """Rows that its drafts become."""


@dataclass(slots=True)
class Written:
    """What one plan's transaction did."""

    roots: int = 0
    found: int = 0
    stops: int = 0
    details: int = 0
    reminders: int = 0
    reminders_past: int = 0
    deleted: int = 0
    gone: int = 0
    """Occurrences that were made once and deleted since; they are not made again."""
    first: datetime | None = None
    last: datetime | None = None


def write(intents: Sequence[Intent], material: Material, *, client_id: int, now: datetime) -> list[Written]:
    """Make what is missing of some plans, in one transaction with the effect keys: all of it or nothing.

    Locks the plans' rows, so two runs do not plan one at once, and raises Transient if a plan was edited after it was
    read, or is held by somebody (of several at once, without waiting). One statement each for occurrences, stops,
    details and reminders (D47), however many plans.
    """
    with transaction.atomic():
        _lock([intent.plan for intent in intents], client_id)
        works = [_Work(intent, list(intent.drafts), Written(found=intent.found)) for intent in intents]
        for work in works:
            if work.intent.edited:
                work.drafts, work.done.found, work.done.deleted = _replan(work.intent, client_id, now)
        _leave_out_known(works, client_id)
        _insert([work for work in works if work.drafts], material, now)
        _remember(intents, client_id, now)
    return [work.done for work in works]


@dataclass(slots=True)
class _Work:
    """One plan on its way."""

    intent: Intent
    drafts: list[Draft]
    done: Written

    @property
    def keys(self) -> dict[str, int | None]:
        plan = self.intent.plan
        return {keys.of_root(plan.pk, draft.planned_at): plan.bu_id for draft in self.drafts}


def _lock(plans: Sequence[Job], client_id: int) -> None:
    """Keep the plans as they were read until the transaction ends. Raises Transient when one is not so any more."""
    locked = entities.Plan.objects.select_for_update(no_key=True, skip_locked=len(plans) > 1).filter(
        pk__in=[plan.pk for plan in plans], client_id=client_id
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LONGEST_WAIT_S}s"])
    try:
        present = {row.pop("pk"): row for row in locked.order_by("pk").values("pk", *EDITABLE)}
    except OperationalError as error:
        raise Transient(f"Plan {plans[0].pk} is held by somebody else for more than {LONGEST_WAIT_S} s.") from error
    for plan in plans:
        if present.get(plan.pk) != {name: getattr(plan, name) for name in EDITABLE}:
            raise Transient(f"Plan {plan.pk} was edited while it was being planned; the next attempt reads it again.")


def _replan(intent: Intent, client_id: int, now: datetime) -> tuple[list[Draft], int, int]:
    """Delete what the edit has overtaken; the drafts that are to be made, and how many occurrences stay and go."""
    free = delete_untouched(client_id, intent.plan.pk, now=now)
    planned = [draft.planned_at for draft in intent.drafts]
    stay = set(
        roots_of(client_id, [intent.plan.pk]).filter(plandatetime__in=planned).values_list("plandatetime", flat=True)
    )
    return [draft for draft in intent.drafts if draft.planned_at not in stay], intent.found + len(stay), len(free)


def _leave_out_known(works: Sequence[_Work], client_id: int) -> None:
    """Enter the keys of all drafts, and take out those that were made before, be they still there or not."""
    new = effects.once_many({key: bu_id for work in works for key, bu_id in work.keys.items()})
    for work in works:
        plan_id = work.intent.plan.pk
        known = [draft.planned_at for draft in work.drafts if keys.of_root(plan_id, draft.planned_at) not in new]
        if known:
            work.drafts = [draft for draft in work.drafts if keys.of_root(plan_id, draft.planned_at) in new]
            there = roots_of(client_id, [plan_id]).filter(plandatetime__in=known).count()
            work.done.found, work.done.gone = work.done.found + there, len(known) - there


def _insert(works: Sequence[_Work], material: Material, now: datetime) -> None:
    makers = [RowMaker(work.intent.plan, material, now.replace(microsecond=0)) for work in works]
    roots = [make.roots(work.drafts) for make, work in zip(makers, works, strict=True)]
    _create(entities.Occurrence, roots)
    stops = [make.stops(mine, work.drafts) for make, mine, work in zip(makers, roots, works, strict=True)]
    effects.once_many({keys.of_stop(stop.parent_id or 0, stop.seqno): stop.bu_id for mine in stops for stop in mine})
    _create(entities.Occurrence, stops)
    noc.announce("Occurrence", [row for mine in (*roots, *stops) for row in mine], created=True)
    asked = [
        make.questions(mine, its_stops, work.drafts)
        for make, mine, its_stops, work in zip(makers, roots, stops, works, strict=True)
    ]
    questions.ask([pair for pairs in asked for pair in pairs])
    reminders = []
    for make, mine, its_stops, pairs, work in zip(makers, roots, stops, asked, works, strict=True):
        found, work.done.reminders_past = make.reminders(mine, work.intent.reminder_rules, now=now)
        reminders.append(found)
        work.done.roots, work.done.stops, work.done.details = len(mine), len(its_stops), len(pairs)
        work.done.reminders = len(found)
        work.done.first, work.done.last = work.drafts[0].planned_at, work.drafts[-1].planned_at
    effects.once_many(
        {
            keys.of_reminder(each.jobneed_id or 0, each.reminderin, each.reminderbefore): each.bu_id
            for found in reminders
            for each in found
        }
    )
    _create(entities.Reminder, reminders)


def _create(model: Any, of_plans: Sequence[Sequence[Any]]) -> None:
    model.objects.bulk_create([row for rows in of_plans for row in rows], batch_size=_ROWS_A_STATEMENT)


def _remember(intents: Sequence[Intent], client_id: int, now: datetime) -> None:
    """Note the last plan time (for people; nothing is decided by it) and what each plan looked like."""
    moved = [intent for intent in intents if intent.plan.lastgeneratedon != intent.last]
    # Not save(): it would change `mdtz`, and an adopter's Job.save() may do more.
    entities.Plan.objects.filter(client_id=client_id).bulk_update(
        [entities.Plan(pk=intent.plan.pk, lastgeneratedon=intent.last) for intent in moved], ["lastgeneratedon"]
    )
    PlanFingerprint.objects.bulk_create(
        [
            PlanFingerprint(client_id=client_id, job_id=intent.plan.pk, fingerprint=intent.fingerprint, updated_at=now)
            for intent in intents
            if intent.is_first or intent.edited
        ],
        update_conflicts=True,
        unique_fields=["job_id"],
        update_fields=["client_id", "fingerprint", "updated_at"],
    )
