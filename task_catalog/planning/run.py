"""One run of a planning task over its clients and their plans: chooses, drafts, has it written, counts."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from task_catalog import entities, notices
from task_catalog.offsets import Offsets
from task_catalog.planning.drafts import Drafter, RouteFailed, Unplannable, check_stops
from task_catalog.planning.material import Material
from task_catalog.planning.writing import Intent, Written, write
from task_catalog.rules import cron
from task_catalog.rules import scheduling as rules
from task_catalog.rules.local_time import local
from task_catalog.sweeps import PAGE, Sweep
from youtility_tasks import TaskContext, errors, tenant, tenants_in_scope

if TYPE_CHECKING:
    from task_catalog.facility.models import Job

logger = logging.getLogger(__name__)

MOST_ROWS = 50_000
"""Rows that one plan may get in one run, stops and questions counted; what is left over is made by the next run."""
ROWS_AT_ONCE = 5_000
"""Rows that several plans are written with in one transaction; each of them alone if that fails."""
MOST_TOLD = 1_000
"""Entries of a list in the result, which is stored whole or not at all."""

_TOLD = {
    "bad_cron": "its cron cannot be read, or never fires",
    "bad_unit": "a reminder rule has an unknown unit or no value",
    "no_asset": "it, or a stop of its tour, has no asset of this client",
    "no_location": "a stop of its tour has no coordinates",
    "no_qset": "it, or a stop of its tour, has no question set of this client",
    "no_window": "its validity has no beginning, no end, or ends before it begins",
    "route_failed": "no way through its stops was found",
    "too_many_stops": "its tour has too many stops",
    "failed": "writing its occurrences failed",
}


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a planning task plans: which kinds of work, and how far ahead."""

    identifiers: tuple[str, ...]
    horizon: timedelta


class Run:
    """One run: what it saw, made and could not make."""

    def __init__(self, context: TaskContext, assignment: Assignment, now: datetime, ids: Sequence[int] | None) -> None:
        self.sweep = Sweep(context)
        self._assignment = assignment
        self._now = now
        self._ids = ids
        self._offsets = Offsets()
        self._drafter = Drafter()
        self._client_id = 0
        self._batch: list[tuple[Intent, Material]] = []
        self.seen = 0
        self.scheduled = 0
        self.total: Counter[str] = Counter()
        self.skipped: list[dict[str, Any]] = []
        self.per_job: list[dict[str, Any]] = []

    def go(self) -> None:
        """Plan for every client in scope. A plan that fails leaves the others alone; `result` will tell."""
        clients = tenants_in_scope()
        for client_id in clients:
            with tenant(client_id):
                self._serve(client_id)
            if self.sweep.stopped:
                break
        for client_id in clients:  # not before: nobody's plans wait for a mail server
            if self.sweep.time_is_up():
                break
            with tenant(client_id):
                notices.send_pending()

    def result(self) -> dict[str, Any]:
        """What both tasks tell. Raises if a plan failed for a reason that may pass."""
        self.sweep.raise_failures()
        status = self.sweep.status()
        if self._ids is not None and self.seen and len(self.skipped) == len(self._ids):
            status = "skipped"
        return {
            "status": status,
            "warnings": _shortened([*self._offsets.warnings, *self.sweep.warnings]),
            "jobs_seen": self.seen,
            "jobs_scheduled": self.scheduled,
            "jobneeds_created": self.total["roots"],
            "jobneeds_existing": self.total["found"],
            "details_created": self.total["details"],
            "deleted_for_edit": self.total["deleted"],
            "skipped": self.skipped[:MOST_TOLD],
        }

    def _serve(self, client_id: int) -> None:
        self._client_id = client_id
        for plan, material in self.sweep.rows(self._page):
            if self._batch and self._batch[0][1] is not material:
                self._write_batch()
            with self.sweep.one(plan.pk):
                self._plan(plan, material)
            if sum(intent.row_count for intent, _ in self._batch) >= ROWS_AT_ONCE:
                self._write_batch()
        self._write_batch()

    def _write_batch(self) -> None:
        """Write what was drafted: all at once, or each plan alone if one of them fails (R-SCH 11)."""
        batch, self._batch = self._batch, []
        if len(batch) > 1:
            intents, material = [intent for intent, _ in batch], batch[0][1]
            try:
                written = write(intents, material, client_id=self._client_id, now=self._now)
            except errors.SoftTimeLimit:
                raise
            except Exception as error:
                logger.info("%s plans are written one by one, as together they failed: %s", len(batch), error)
            else:
                for intent, done in zip(intents, written, strict=True):
                    self._count(intent.plan, done)
                return
        for intent, material in batch:
            with self.sweep.one(intent.plan.pk), self._given_up_if_it_fails(intent.plan):
                (done,) = write([intent], material, client_id=self._client_id, now=self._now)
                self._count(intent.plan, done)

    def _page(self, last: tuple[Job, Material] | None) -> list[tuple[Job, Material]]:
        plans = list(self._candidates().filter(pk__gt=last[0].pk if last else 0).order_by("pk")[:PAGE])
        material = Material.of(self._client_id, plans, now=self._now, horizon=self._assignment.horizon)
        return [(plan, material) for plan in plans]

    def _candidates(self) -> QuerySet[Job]:
        """The plans named; without names those that `rules.why_not` may let pass, which looks at each of them again."""
        plans = entities.Plan.objects.filter(client_id=self._client_id).exclude(pk=entities.none_id())
        if self._ids is not None:
            return plans.filter(pk__in=self._ids)
        return plans.filter(
            entities.points_nowhere("parent"),
            Q(uptodate__isnull=True) | Q(uptodate__gte=self._now),
            enable=True,
            identifier__in=self._assignment.identifiers,
        ).exclude(cron__in=["", cron.NEVER])

    def _plan(self, plan: Job, material: Material) -> None:
        schedule = material.schedule(plan)
        unfit = rules.why_not(schedule, self._assignment.identifiers, now=self._now)
        if unfit is not None:
            if self._ids is not None:
                self.seen += 1
                self.skipped.append({"job_id": plan.pk, "reason": unfit})
            return
        self.seen += 1
        with self._given_up_if_it_fails(plan):
            intent = self._intent(plan, schedule, material)
            if intent is not None:
                self._batch.append((intent, material))

    @contextlib.contextmanager
    def _given_up_if_it_fails(self, plan: Job) -> Iterator[None]:
        """List a plan that fails; the error goes on unless somebody has to correct the plan first."""
        try:
            yield
        except Unplannable as problem:
            self._give_up(plan, problem.reason, str(problem))
        except errors.SoftTimeLimit:
            raise
        except RouteFailed as error:
            self._give_up(plan, "route_failed", str(error))
            raise
        except Exception as error:
            self._give_up(plan, "failed", f"{type(error).__name__}: {error}")
            raise

    def _intent(self, plan: Job, schedule: rules.Schedule, material: Material) -> Intent | None:
        """What is to be written for a plan, or None if everything is there. Raises Unplannable."""
        reminder_rules = self._check(plan, schedule, material)
        offset = self._offset(plan)
        try:
            instants = rules.occurrences(schedule, offset=offset, now=self._now, horizon=self._assignment.horizon)
            planned = {instant: rules.planned_at(instant, schedule) for instant in instants}
            fingerprint = material.fingerprint(plan)
            before = material.fingerprints.get(plan.pk)
            edited = before is not None and before != fingerprint
            made = material.made.get(plan.pk, set())
            kept = {at for at in planned.values() if at in made and not (edited and at > self._now)}
            missing = [instant for instant in instants if planned[instant] not in kept]
            missing, rows_each = self._as_many_as_fit(plan, schedule, material, missing)
            drafts = self._drafter.draft(plan, schedule, material, missing)
        except OverflowError as error:
            raise Unplannable("no_window", f"its times are beyond the calendar: {error}") from error
        last = max([*kept, *(draft.planned_at for draft in drafts)], default=plan.lastgeneratedon)
        self.scheduled += bool(kept or drafts)
        if not drafts and fingerprint == before and last == plan.lastgeneratedon:
            self.total["found"] += len(kept)
            return None
        return Intent(
            plan=plan,
            drafts=drafts,
            found=len(kept),
            last=last,
            fingerprint=fingerprint,
            is_first=before is None,
            edited=edited,
            reminder_rules=reminder_rules,
            row_count=rows_each * len(drafts),
        )

    def _check(self, plan: Job, schedule: rules.Schedule, material: Material) -> list[rules.ReminderRule]:
        """The plan's reminder rules. Raises Unplannable for a plan that somebody has to correct first."""
        reason = rules.flaw(schedule)
        if reason is not None:
            raise Unplannable(reason, (cron.flaw(schedule.cron) if reason == "bad_cron" else None) or _TOLD[reason])
        stops = material.stops.get(plan.pk, [])
        if schedule.is_tour:
            check_stops(schedule, material, stops)
            if not stops:
                self.sweep.warnings.append(f"plan {plan.pk}: the tour has no stops")
        elif not material.questions.get(plan.qset_id or 0):
            self.sweep.warnings.append(f"plan {plan.pk}: question set {plan.qset_id} has no questions")
        found = rules.reminder_rules(material.reminder_rows.get(plan.pk, []))
        if found is None:
            raise Unplannable("bad_unit", _TOLD["bad_unit"])
        return found

    def _as_many_as_fit(
        self, plan: Job, schedule: rules.Schedule, material: Material, missing: list[datetime]
    ) -> tuple[list[datetime], int]:
        """The first ones, if all of them would be too many rows for one transaction, and the rows that each becomes."""
        stops = material.stops.get(plan.pk, []) if schedule.is_tour else []
        rounds = rules.frequency(schedule.other_info) if stops else 1
        if rounds * len(stops) > rules.MOST_STOPS:
            raise Unplannable("too_many_stops", f"{rounds} rounds of {len(stops)} stops; at most {rules.MOST_STOPS}")
        asked = [stop.qset_id for stop in stops] * rounds if schedule.is_tour else [plan.qset_id]
        rows = 1 + len(asked) + sum(len(material.questions.get(qset_id or 0, ())) for qset_id in asked)
        fit = max(1, MOST_ROWS // rows)
        if len(missing) > fit:
            self.sweep.warnings.append(
                f"plan {plan.pk}: {fit} of {len(missing)} occurrences are made now, the next run makes more"
            )
        return missing[:fit], rows

    def _offset(self, plan: Job) -> int:
        return self._offsets.of(plan.ctzoffset, client_id=self._client_id, bu_id=plan.bu_id)

    def _count(self, plan: Job, written: Written) -> None:
        for name in ("roots", "found", "stops", "details", "reminders", "reminders_past", "deleted"):
            self.total[name] += getattr(written, name)
        if written.gone:
            self.sweep.warnings.append(
                f"plan {plan.pk}: {written.gone} occurrences were made before and deleted by somebody; they stay away"
            )
        if written.first is not None and written.last is not None and len(self.per_job) < MOST_TOLD:
            self.per_job.append(
                {
                    "job_id": plan.pk,
                    "created": written.roots,
                    "first": written.first.isoformat(),
                    "last": written.last.isoformat(),
                }
            )

    def _give_up(self, plan: Job, reason: str, told: str) -> None:
        """List the plan, and tell the administrators once a day by its own calendar (R-SCH 11)."""
        self.skipped.append({"job_id": plan.pk, "reason": reason})
        today = local(self._now, self._offset(plan)).date()
        notices.promise(
            f"plan:{plan.pk}:{today}",
            f"Plan {plan.pk} cannot be scheduled: {reason}",
            [f"Plan {plan.pk}, {plan.jobname!r}: {_TOLD[reason]}.", told, "The other plans were scheduled."],
        )


def _shortened(lines: list[str]) -> list[str]:
    rest = len(lines) - MOST_TOLD
    return lines if rest <= 0 else [*lines[:MOST_TOLD], f"and {rest} more warnings"]
