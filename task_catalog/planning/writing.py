"""Writes the occurrences of one plan: everything in one transaction, or nothing of it (D8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

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
    from task_catalog.facility.models import Job, Jobneed

LONGEST_WAIT_S = 10
"""How long for a plan, or another row, that somebody holds: a page left open must not keep all other plans waiting."""


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


def write(intent: Intent, material: Material, *, client_id: int, now: datetime) -> Written:
    """Make what is missing of one plan, in one transaction with its effect keys.

    Locks the plan's row, so two runs do not plan it at once, and raises Transient if the plan was edited after it was
    read. One statement each for occurrences, stops, details and reminders (D47).
    """
    plan = intent.plan
    done = Written(found=intent.found)
    with transaction.atomic():
        _lock(plan, client_id)
        drafts = list(intent.drafts)
        if intent.edited:
            drafts, done.found, done.deleted = _replan(intent, client_id, now)
        new = effects.once_many([keys.of_root(plan.pk, draft.planned_at) for draft in drafts], bu_id=plan.bu_id)
        if len(new) < len(drafts):
            drafts, known = _split(plan.pk, drafts, new)
            there = roots_of(client_id, [plan.pk]).filter(plandatetime__in=known).count()
            done.found, done.gone = done.found + there, len(known) - there
        if drafts:
            _insert(intent, drafts, material, done, now)
        _remember(intent, client_id, now)
    return done


def _lock(plan: Job, client_id: int) -> None:
    """Keep the plan as it was read until the transaction ends. Raises Transient when it is not so any more."""
    locked = entities.Plan.objects.select_for_update(no_key=True).filter(pk=plan.pk, client_id=client_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LONGEST_WAIT_S}s"])
    try:
        present = locked.values(*EDITABLE).first()
    except OperationalError as error:
        raise Transient(f"Plan {plan.pk} is held by somebody else for more than {LONGEST_WAIT_S} s.") from error
    if present != {name: getattr(plan, name) for name in EDITABLE}:
        raise Transient(f"Plan {plan.pk} was edited while it was being planned; the next attempt reads it again.")


def _replan(intent: Intent, client_id: int, now: datetime) -> tuple[list[Draft], int, int]:
    """Delete what the edit has overtaken; the drafts that are to be made, and how many occurrences stay and go."""
    free = delete_untouched(client_id, intent.plan.pk, now=now)
    planned = [draft.planned_at for draft in intent.drafts]
    stay = set(
        roots_of(client_id, [intent.plan.pk]).filter(plandatetime__in=planned).values_list("plandatetime", flat=True)
    )
    return [draft for draft in intent.drafts if draft.planned_at not in stay], intent.found + len(stay), len(free)


def _split(plan_id: int, drafts: Sequence[Draft], new: set[str]) -> tuple[list[Draft], list[datetime]]:
    """The drafts whose keys are new, and the plan times of the others."""
    fresh = [draft for draft in drafts if keys.of_root(plan_id, draft.planned_at) in new]
    known = [draft.planned_at for draft in drafts if keys.of_root(plan_id, draft.planned_at) not in new]
    return fresh, known


def _insert(intent: Intent, drafts: Sequence[Draft], material: Material, done: Written, now: datetime) -> None:
    plan = intent.plan
    make = RowMaker(plan, material, now.replace(microsecond=0))
    roots: list[Jobneed] = entities.Occurrence.objects.bulk_create(make.roots(drafts))
    stops = make.stops(roots, drafts)
    if stops:
        effects.once_many([keys.of_stop(stop.parent_id or 0, stop.seqno) for stop in stops], bu_id=plan.bu_id)
        stops = entities.Occurrence.objects.bulk_create(stops)
    noc.announce("Occurrence", [*roots, *stops], created=True)
    done.details = questions.ask(make.questions(roots, stops, drafts))
    reminders, done.reminders_past = make.reminders(roots, intent.reminder_rules, now=now)
    if reminders:
        wanted = [keys.of_reminder(each.jobneed_id or 0, each.reminderin, each.reminderbefore) for each in reminders]
        effects.once_many(wanted, bu_id=plan.bu_id)
        entities.Reminder.objects.bulk_create(reminders)
    done.roots, done.stops, done.reminders = len(roots), len(stops), len(reminders)
    done.first, done.last = drafts[0].planned_at, drafts[-1].planned_at


def _remember(intent: Intent, client_id: int, now: datetime) -> None:
    """Note the last plan time (for people; nothing is decided by it) and what the plan looked like."""
    plan = intent.plan
    if plan.lastgeneratedon != intent.last:
        # Not save(): it would change `mdtz`, and an adopter's Job.save() may do more.
        entities.Plan.objects.filter(pk=plan.pk, client_id=client_id).update(lastgeneratedon=intent.last)
    if intent.is_first or intent.edited:
        PlanFingerprint.objects.bulk_create(
            [PlanFingerprint(client_id=client_id, job_id=plan.pk, fingerprint=intent.fingerprint, updated_at=now)],
            update_conflicts=True,
            unique_fields=["job_id"],
            update_fields=["client_id", "fingerprint", "updated_at"],
        )
