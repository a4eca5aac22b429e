"""create_scheduled_reports (T17): makes the reports that come by themselves (R-REP)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.flows import scheduled_report
from task_catalog.offsets import Offsets
from task_catalog.ports import clock
from task_catalog.reporting import awaiting, files, telling
from task_catalog.reporting.making import Made, make
from task_catalog.reporting.request import Asked, read
from task_catalog.reporting.telling import Request, tell
from task_catalog.rules import report_schedule as rules
from task_catalog.rules.local_time import local
from task_catalog.rules.report_schedule import BadSchedule, Period
from task_catalog.sweeps import PAGE, Sweep, shortened
from youtility_tasks import BadInput, Retry, TaskContext, effects, errors, queues, tenant, tenants_in_scope

if TYPE_CHECKING:
    from task_catalog.facility.models import ScheduleReport

MADE = "sched-report:"
AGAIN = "sched-report-again:"
"""Promised by whoever finds that a file is lost: its period is due again, even if a later one was made meanwhile."""


@task(
    name="create_scheduled_reports",
    queue_name=queues.REPORTS,
    priority=5,
    retry=Retry(4, base=300, factor=2, cap=1800),
    timeout_s=900,
    lock="create_scheduled_reports",
    queueing_lock="create_scheduled_reports",
    isolated=True,
    tenant="all",
    takes_context=True,
    schedule="22 */8 * * *",
    seed_class="reports",
)
def create_scheduled_reports(context: TaskContext) -> dict[str, Any]:
    """Make the file of every scheduled report whose period is over, one transaction a report.

    A bad schedule is listed in the result and in the history; it never stops the others.

    Second attempt: a report that was made is no longer due (`sched-report:{id}:{end of its period}`), so only the rest
    is made.
    """
    run = _Run(context, clock.now())
    for client_id in tenants_in_scope():
        with tenant(client_id):
            run.serve(client_id)
        if run.sweep.stopped:
            break
    return run.end()


class _Run:
    """One run over the clients' schedules."""

    def __init__(self, context: TaskContext, now: datetime) -> None:
        self.sweep = Sweep(context)
        self._is_last_attempt = context.attempt >= context.max_attempts
        self._now = now
        self._offsets = Offsets()
        self._client_id = 0
        self.processed = self.generated = self.no_data = self.skipped = 0
        self.errors: list[dict[str, Any]] = []
        self.files: list[str] = []

    def serve(self, client_id: int) -> None:
        """Make what was lost again, then what is due."""
        self._client_id = client_id
        again = {
            each.payload["schedule_id"]: (each.key, Period(*map(datetime.fromisoformat, each.payload["period"])))
            for each in reversed(effects.unfinished(AGAIN))
        }

        def page(last: ScheduleReport | None) -> list[ScheduleReport]:
            found = entities.ScheduleReport.objects.filter(client_id=client_id, enable=True)
            found = found.filter(pk__gt=last.pk) if last is not None else found
            return list(found.select_related("bu").order_by("pk")[:PAGE])

        for row in self.sweep.rows(page):
            self.processed += 1
            with self.sweep.one(row.pk):
                self._look_at(row, again.get(row.pk))

    def end(self) -> dict[str, Any]:
        """The result; enqueues the task again if schedules remain, and raises if some failed for reasons unknown."""
        self.sweep.raise_failures()
        if self.sweep.to_be_continued:
            create_scheduled_reports.enqueue()
        return {
            "status": "partial" if self.errors else self.sweep.status(),
            "warnings": shortened([*self.sweep.warnings, *self._offsets.warnings]),
            "processed": self.processed,
            "generated": self.generated,
            "no_data": self.no_data,
            "skipped": self.skipped,
            "errors": self.errors,
            "files": self.files,
        }

    def _look_at(self, row: ScheduleReport, lost: tuple[str, Period] | None) -> None:
        period: Period | None = None
        try:
            if lost is not None:
                key, period = lost
                self._make(row, period, then=lambda: effects.skip(key, "made again"))
                row.refresh_from_db(fields=["lastgeneratedon"])
            period = rules.due(self._as_schedule(row), self._now)
            if period is not None and effects.is_done(_made_key(row, period)):
                self._believe_the_ledger(row)
            elif period is not None:
                self._make(row, period)
            elif lost is None:
                self.skipped += 1
        except BadSchedule as error:
            self._note(row, None, error.reason, str(error), error)
        except BadInput as error:
            self._note(row, period, "bad_input", str(error), error)
        except Exception as error:
            if self._is_last_attempt and not isinstance(error, errors.SoftTimeLimit):
                self._tell(row, period, error)
            raise

    def _believe_the_ledger(self, row: ScheduleReport) -> None:
        """The row was set back by hand or from a backup; its period was made, and is made once."""
        entities.ScheduleReport.objects.filter(pk=row.pk).update(lastgeneratedon=self._now.replace(microsecond=0))
        self.sweep.warnings.append(f"schedule {row.pk}: its period was made before and is not made again")
        self.skipped += 1

    def _as_schedule(self, row: ScheduleReport) -> rules.Schedule:
        return rules.Schedule(
            cron=row.cron,
            offset=self._offset(row),
            workingdays=row.workingdays,
            is_enabled=row.enable,
            last_generated=row.lastgeneratedon,
        )

    def _offset(self, row: ScheduleReport) -> int:
        return self._offsets.of(row.ctzoffset, client_id=self._client_id, bu_id=row.bu_id)

    def _make(self, row: ScheduleReport, period: Period, *, then: Callable[[], None] = lambda: None) -> None:
        """Make one report, and store with one transaction that it was made, or that there was nothing to tell."""
        form = form_of(row, self._offset(row))
        asked = read(form, client_id=self._client_id, period=period)
        with files.draft(files.of_tenant(files.scheduled_folder(), self._client_id)) as draft:
            made = make(asked, draft.path)
            with transaction.atomic():
                locked = entities.ScheduleReport.objects.select_for_update(of=("self",)).filter(pk=row.pk).first()
                if locked is None or not effects.once(_made_key(row, period), bu_id=row.bu_id):
                    return
                name = draft.keep_as(self._name(row, period, asked), self._now).name if made.has_data else ""
                self._store(locked, row, period, asked, made, name)
                then()
        self.sweep.warnings.extend(f"schedule {row.pk}: {warning}" for warning in made.warnings)
        self.generated += made.has_data
        self.no_data += not made.has_data
        if name:
            self.files.append(name)

    def _store(
        self, locked: ScheduleReport, row: ScheduleReport, period: Period, asked: Asked, made: Made, name: str
    ) -> None:
        if locked.uptodatetime is None or locked.uptodatetime <= period.end:
            entities.ScheduleReport.objects.filter(pk=row.pk).update(
                fromdatetime=period.start,
                uptodatetime=period.end,
                lastgeneratedon=self._now.replace(microsecond=0),
                filename=name,
            )
        request = request_of(row, period, asked.filters.offset)
        if made.has_data:
            scheduled_report.begin(request)
            effects.promise(
                f"{awaiting.SCHEDULED_FILE}{row.pk}:{period.end.isoformat()}",
                payload={
                    "schedule_id": row.pk,
                    "file": name,
                    "period": [period.start.isoformat(), period.end.isoformat()],
                    "made": self._now.isoformat(),
                    "site": asked.place,
                    "request": request.as_json(),
                },
                bu_id=row.bu_id,
            )
        else:
            scheduled_report.end(request, has_data=False)

    def _name(self, row: ScheduleReport, period: Period, asked: Asked) -> str:
        """Whose and which it is, so that no two clients share a name (D29), and what nobody can guess."""
        offset = asked.filters.offset
        covered = files.days(period.start, period.end, offset)
        whose = f"{self._client_id}-{row.bu_id or self._client_id}-{row.pk}"
        mark = files.token(self._client_id, "schedule", row.pk, period.end.isoformat())
        at = f"{local(self._now, offset):%H-%M-%S}"
        return f"{asked.report.code}__{whose}__{covered}__{at}__{mark}.{asked.format}"

    def _note(self, row: ScheduleReport, period: Period | None, reason: str, text: str, error: Exception) -> None:
        self.errors.append({"id": row.pk, "reason": reason, "error": text})
        self._tell(row, period, error)

    def _tell(self, row: ScheduleReport, period: Period | None, error: Exception) -> None:
        """One history row a period, or a local day for a schedule without one, however many runs meet the same trouble."""
        offset = self._offset(row)
        when = f"{local(self._now, offset):%Y-%m-%d}" if period is None else period.end.isoformat()
        request = telling.request_of_form(
            f"sched-error:{row.pk}:{when}", form_of(row, offset), user_id=row.cuser_id, unit_id=row.bu_id
        )
        lines = "".join(traceback.format_exception(error))
        tell(request, has_data=False, trouble=(type(error).__name__, str(error), lines))


def _made_key(row: ScheduleReport, period: Period) -> str:
    return f"{MADE}{row.pk}:{period.end.isoformat()}"


def form_of(row: ScheduleReport, offset: int) -> dict[str, Any]:
    """What a schedule asks for, as the page's form would; its own type, wall clock and addresses are the row's."""
    params = row.report_params if isinstance(row.report_params, dict) else {}
    return {
        **params,
        "report_name": row.report_type,
        "export_type": "SCHEDULED",
        "ctzoffset": offset,
        "to_addr": list(row.to_addr or ()),
        "cc": list(row.cc or ()),
        "preview": "",
    }


def request_of(row: ScheduleReport, period: Period, offset: int) -> Request:
    """The request that stands for one period of a schedule; asked for by whoever made the schedule."""
    form = {**form_of(row, offset), "fromdatetime": period.start.isoformat(), "uptodatetime": period.end.isoformat()}
    key = f"sched:{row.pk}:{period.end.isoformat()}"
    return telling.request_of_form(key, form, user_id=row.cuser_id, unit_id=row.bu_id)
