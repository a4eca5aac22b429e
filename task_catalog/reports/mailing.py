"""send_generated_report_on_mail (T20): mails the reports that came by themselves, each at its own hour."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.flows import scheduled_report
from task_catalog.offsets import Offsets
from task_catalog.ports import clock, mail
from task_catalog.reporting import awaiting, files
from task_catalog.reporting.telling import NO_TROUBLE, Request, Trouble, tell_of_dead_letters
from task_catalog.reporting.writers import MEDIA_TYPES
from task_catalog.rules.local_time import shown
from task_catalog.rules.recipients import Recipients, valid_addresses
from task_catalog.rules.report_schedule import may_be_sent_from
from task_catalog.sweeps import Sweep, shortened
from youtility_tasks import BadInput, NotReady, Retry, TaskContext, effects, errors, queues, tenant, tenants_in_scope

from .scheduled import AGAIN, MADE

if TYPE_CHECKING:
    from task_catalog.facility.models import ScheduleReport

logger = logging.getLogger(__name__)

KEPT_WITHOUT_RECIPIENT = timedelta(hours=12)


@task(
    name="send_generated_report_on_mail",
    queue_name=queues.REPORTS,
    priority=5,
    retry=Retry(4, base=120, factor=2, cap=900),
    timeout_s=300,
    lock="send_generated_report_on_mail",
    queueing_lock="send_generated_report_on_mail",
    tenant="all",
    takes_context=True,
    schedule="*/30 * * * *",
    seed_class="reports",
)
def send_generated_report_on_mail(context: TaskContext) -> dict[str, Any]:
    """Mail every made report whose hour has come, one message each, and delete its file afterwards.

    Late is better than never: a report that missed its hour goes with the next run. One whose file is lost is made again.

    Second attempt: same effect key `sched-report-mail:{id}:{end of its period}` and Message-ID, so nobody gets two mails.
    """
    run = _Run(context, clock.now())
    for client_id in tenants_in_scope():
        with tenant(client_id), mail.session():
            run.serve(client_id)
        if run.sweep.stopped:
            break
    return run.end()


class _Run:
    """One run over the clients' reports that wait to be mailed."""

    def __init__(self, context: TaskContext, now: datetime) -> None:
        self.sweep = Sweep(context)
        self._now = now
        self._offsets = Offsets()
        self._client_id = 0
        self._unreachable = False
        self.pending = self.sent = self.deleted = 0
        self.errors: list[dict[str, Any]] = []

    def serve(self, client_id: int) -> None:
        """Mail what is due, and tell of requests whose process died."""
        self._client_id = client_id
        tell_of_dead_letters()
        for promise in effects.unfinished(awaiting.SCHEDULED_FILE):
            if self.sweep.time_is_up():
                self.sweep.stopped = True
                return
            if self._unreachable:
                self.pending += 1
                continue
            try:
                self._look_at(promise)
            except errors.SoftTimeLimit:
                raise
            except NotReady:
                self.pending += 1
                logger.info("report left to the job that is mailing it key=%s", promise.key)
            except Exception as error:
                self.pending += 1
                self._unreachable = isinstance(error, mail.Unreachable)
                logger.warning("report not mailed, the others go on key=%s", promise.key, exc_info=True)
                self.sweep.note_failure(promise.key, error)

    def end(self) -> dict[str, Any]:
        """The result; enqueues the task again if reports remain, and raises if some could not be mailed."""
        self.sweep.raise_failures()
        if self.sweep.to_be_continued:
            send_generated_report_on_mail.enqueue()
        return {
            "status": "partial" if self.errors else self.sweep.status(),
            "warnings": shortened([*self.sweep.warnings, *self._offsets.warnings]),
            "pending": self.pending,
            "sent": self.sent,
            "deleted": self.deleted,
            "errors": self.errors,
        }

    def _look_at(self, promise: effects.Pending) -> None:
        held = promise.payload
        path = files.of_tenant(files.scheduled_folder(), self._client_id) / Path(held["file"]).name
        row = (
            entities.ScheduleReport.objects.filter(pk=held["schedule_id"], client_id=self._client_id)
            .select_related("bu")
            .first()
        )
        made = datetime.fromisoformat(held["made"])
        if effects.is_done(_mail_key(promise)):  # a process that died after it had sent
            self._end(promise, path)
            return
        if row is None:
            self._give_up(promise, path, "schedule_gone", f"schedule {held['schedule_id']} is gone")
            return
        offset = self._offsets.of(row.ctzoffset, client_id=self._client_id, bu_id=row.bu_id)
        if may_be_sent_from(made, row.report_sendtime, offset) > self._now:
            self.pending += 1
        elif not path.is_file():
            self._make_due_again(promise)
        else:
            self._send(promise, row, path, offset, late=self._now - made >= KEPT_WITHOUT_RECIPIENT)

    def _send(self, promise: effects.Pending, row: ScheduleReport, path: Path, offset: int, *, late: bool) -> None:
        to, cc = valid_addresses(row.to_addr or ()), valid_addresses(row.cc or ())
        self._warn(promise, *to.warnings, *cc.warnings)
        if not to.addresses and not cc.addresses:
            self._warn(promise, "no_recipients; the file is kept for 12 hours")
            if late:
                self._give_up(promise, path, "no_recipients", f"schedule {row.pk} has no valid recipient")
            else:
                self.pending += 1
            return
        message = self._message(promise, row, path, offset, to, cc)
        try:
            sent = effects.perform(
                message.key, lambda message_id: self._deliver(promise, message, message_id), bu_id=promise.bu_id
            )
        except BadInput as error:  # the mail server will not have it, today or tomorrow
            self._give_up(promise, path, "refused", str(error))
            return
        self.sent += sent
        self._end(promise, path)

    def _deliver(self, promise: effects.Pending, message: mail.Message, message_id: str) -> None:
        self._warn(promise, *mail.deliver(message, message_id).warnings)

    def _message(
        self, promise: effects.Pending, row: ScheduleReport, path: Path, offset: int, to: Recipients, cc: Recipients
    ) -> mail.Message:
        start, end = (shown(datetime.fromisoformat(at), offset) for at in promise.payload["period"])
        return mail.Message(
            task="send_generated_report_on_mail",
            key=_mail_key(promise),
            to=to.addresses,
            cc=cc.addresses,
            template="report_scheduled",
            context={
                "report_name": row.report_name or row.report_type,
                "site": promise.payload["site"],
                "period": f"{start} to {end}",
                "facts": [("Period", f"{start} to {end}"), ("Site", promise.payload["site"])],
                "company_name": catalog().company_name,
            },
            attachments=[
                mail.Attachment(
                    name=files.without_token(path.name),
                    content=path.read_bytes(),
                    media_type=MEDIA_TYPES.get(path.suffix.removeprefix("."), "application/octet-stream"),
                )
            ],
        )

    def _make_due_again(self, promise: effects.Pending) -> None:
        """A file is lost: its period is due again, so that the next run of T17 makes it and a later one of this mails it."""
        held = promise.payload
        end = held["period"][1]
        with transaction.atomic():
            effects.forget([promise.key, f"{MADE}{held['schedule_id']}:{end}"])
            effects.forget([f"{AGAIN}{held['schedule_id']}:{end}"])
            effects.promise(
                f"{AGAIN}{held['schedule_id']}:{end}",
                payload={"schedule_id": held["schedule_id"], "period": held["period"]},
                bu_id=promise.bu_id,
            )
            entities.ScheduleReport.objects.filter(
                pk=held["schedule_id"], uptodatetime=datetime.fromisoformat(end)
            ).update(filename="", lastgeneratedon=None)
        self._warn(promise, f"the file {held['file']} is lost; its period is due again")
        self.errors.append({"id": held["schedule_id"], "reason": "file_lost"})

    def _give_up(self, promise: effects.Pending, path: Path, reason: str, text: str) -> None:
        """Nothing more can be done for this report: say so in the history, and let its file go."""
        self.errors.append({"id": promise.payload["schedule_id"], "reason": reason})
        self._end(promise, path, trouble=(reason, text, None))

    def _end(self, promise: effects.Pending, path: Path, *, trouble: Trouble = NO_TROUBLE) -> None:
        with transaction.atomic():
            scheduled_report.end(Request.of_json(promise.payload["request"]), trouble=trouble)
            effects.skip(promise.key, trouble[0] or "mailed")
        if path.is_file():
            path.unlink(missing_ok=True)
            self.deleted += 1

    def _warn(self, promise: effects.Pending, *warnings: str) -> None:
        self.sweep.warnings.extend(f"{promise.key}: {warning}" for warning in warnings)


def _mail_key(promise: effects.Pending) -> str:
    return awaiting.SCHEDULED_MAIL + promise.key.removeprefix(awaiting.SCHEDULED_FILE)
