"""send_reminder_email (T07): reminds people of planned maintenance before it begins."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from task_catalog import entities, notices
from task_catalog.arguments import task
from task_catalog.audience import addresses, contact, group_members, name_of
from task_catalog.conf import catalog
from task_catalog.offsets import Offsets
from task_catalog.ports import clock, mail
from task_catalog.rules import reminders as rules
from task_catalog.rules.local_time import shown
from task_catalog.rules.recipients import split_addresses
from task_catalog.rules.reminders import Moment
from task_catalog.sweeps import MOST_IDS, PAGE, Sweep, shortened
from youtility_tasks import (
    BadInput,
    NotReady,
    Retry,
    TaskContext,
    current_tenant,
    effects,
    queues,
    tenant,
    tenants_in_scope,
)

if TYPE_CHECKING:
    from task_catalog.facility.models import Reminder


@task(
    name="send_reminder_email",
    queue_name=queues.EMAIL,
    priority=4,
    retry=Retry(5, base=60, factor=2, cap=900),
    timeout_s=300,
    lock="send_reminder_email",
    queueing_lock="send_reminder_email",
    tenant="all",
    takes_context=True,
    schedule="*/10 * * * *",
    seed_class="email",
)
def send_reminder_email(context: TaskContext) -> dict[str, Any]:
    """Send every reminder whose time has come and whose work has not begun; give up those that are too late.

    Second attempt: a sent reminder is SUCCESS, and `reminder-mail:{reminder_id}` is done once, so nobody is reminded
    twice.
    """
    run = _Run(context, clock.now())
    with mail.session():
        if current_tenant() is None:
            notices.send_pending()  # of failed jobs, which belong to no client; this sweep comes by every ten minutes
        for client_id in tenants_in_scope():
            with tenant(client_id):
                run.serve(client_id)
            if run.sweep.stopped:
                break
    run.sweep.raise_failures()
    if run.sweep.to_be_continued:
        send_reminder_email.enqueue()
    return run.result()


class _Run:
    """One run over the clients' reminders."""

    def __init__(self, context: TaskContext, now: datetime) -> None:
        self.sweep = Sweep(context)
        self._now = now
        self._offsets = Offsets()
        self._unreachable = False
        self._client_id = 0
        self.due = 0
        self.failed = 0
        self.expired = 0
        self.ids: list[int] = []

    def serve(self, client_id: int) -> None:
        """Deal with the reminders of one client."""
        self._client_id = client_id

        def page(last: tuple[datetime, int] | None) -> list[tuple[datetime, int]]:
            found = self._to_settle().order_by("reminderdate", "pk")
            if last is not None:
                found = found.filter(Q(reminderdate__gt=last[0]) | Q(reminderdate=last[0], pk__gt=last[1]))
            return list(found.values_list("reminderdate", "pk")[:PAGE])

        for _, pk in self.sweep.rows(page):
            with self.sweep.one(pk):
                self._settle(pk)

    def result(self) -> dict[str, Any]:
        return {
            "status": self.sweep.status(),
            "warnings": shortened([*self.sweep.warnings, *self._offsets.warnings]),
            "due": self.due,
            "sent": len(self.ids),
            "failed": self.failed,
            "expired": self.expired,
            "ids": self.ids[:MOST_IDS],
        }

    def _mine(self) -> QuerySet[Reminder]:
        return entities.Reminder.objects.filter(job__client_id=self._client_id)

    def _to_settle(self) -> QuerySet[Reminder]:
        """Due and missed reminders: `rules.moment_of` as a query; a test holds the two together."""
        due = Q(plandatetime__gt=self._now, reminderdate__lte=self._now)
        missed = Q(plandatetime__lte=self._now) & ~Q(status=rules.FAILED)
        return self._mine().exclude(status=rules.SUCCESS).filter(due | missed)

    def _settle(self, pk: int) -> None:
        reminder = self._mine().select_related("job", "bu", "people", "cuser", "muser").filter(pk=pk).first()
        if reminder is None:
            return
        moment = rules.moment_of(
            reminder.status, remind_at=reminder.reminderdate, planned_at=reminder.plandatetime, now=self._now
        )
        if moment is Moment.MISSED:
            self.expired += self._mark(pk, rules.FAILED)
        elif moment is Moment.DUE:
            self.due += 1
            if not self._unreachable:
                self._send(reminder)

    def _send(self, reminder: Reminder) -> None:
        key = f"reminder-mail:{reminder.pk}"
        people = addresses(
            [
                None if entities.is_none(reminder.people_id) else contact(reminder.people),
                contact(reminder.cuser),
                contact(reminder.muser),
                *group_members(reminder.group_id, client_id=self._client_id),
            ],
            client_id=self._client_id,
            extra=split_addresses(reminder.mailids),
        )
        self._warn(reminder.pk, people.warnings)
        if not people.addresses:
            self._warn(reminder.pk, ["no_recipients"])
            self.failed += self._mark(reminder.pk, rules.FAILED)
            return
        message = self._message(reminder, key, people.addresses)

        def deliver(message_id: str) -> None:
            self._warn(reminder.pk, mail.deliver(message, message_id).warnings)

        try:
            sent = effects.perform(key, deliver, bu_id=reminder.bu_id)
        except NotReady:
            self._warn(reminder.pk, ["another job is sending it"])
            return
        except BadInput as error:
            self._warn(reminder.pk, [str(error)])
            self.failed += self._mark(reminder.pk, rules.FAILED)
            return
        except mail.Unreachable:
            self._unreachable = True
            raise
        self._mark(reminder.pk, rules.SUCCESS)
        if sent:
            self.ids.append(reminder.pk)

    def _message(self, reminder: Reminder, key: str, to: tuple[str, ...]) -> mail.Message:
        offset = self._offsets.of(reminder.ctzoffset, client_id=self._client_id, bu_id=reminder.bu_id)
        job = "-" if reminder.job is None else reminder.job.jobname
        planned = shown(reminder.plandatetime, offset)
        return mail.Message(
            task="send_reminder_email",
            key=key,
            to=to,
            template="reminder",
            context={
                "job": job,
                "planned": planned,
                "facts": [
                    ("Job", job),
                    ("Planned", planned),
                    ("Description", reminder.description or "-"),
                    ("Site", "-" if reminder.bu is None else reminder.bu.buname),
                    ("Created by", name_of(reminder.cuser)),
                    ("Modified by", name_of(reminder.muser)),
                ],
                "company_name": catalog().company_name,
            },
        )

    def _mark(self, pk: int, status: str) -> int:
        """Set the status unless the reminder was sent meanwhile; 1 if it was set."""
        open_ = self._mine().filter(pk=pk).exclude(status=rules.SUCCESS)
        return open_.update(status=status, mdtz=self._now.replace(microsecond=0))

    def _warn(self, pk: int, words: list[str] | tuple[str, ...]) -> None:
        self.sweep.warnings.extend(f"reminder {pk}: {each}" for each in words)
