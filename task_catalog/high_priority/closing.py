"""auto_close_jobs (T02): closes work whose time is over, tells those in charge and raises tickets."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import Exact

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.audience import SiteAudience
from task_catalog.conf import catalog
from task_catalog.flows import planned_maintenance
from task_catalog.missed_work import MAIL, Closed, Closer, occurrences_of
from task_catalog.offsets import Offsets
from task_catalog.outbox import Outbox
from task_catalog.ports import clock, mail
from task_catalog.rules import closing as rules
from task_catalog.sweeps import MOST_IDS, PAGE, Sweep, shortened
from youtility_tasks import BadInput, Retry, TaskContext, effects, errors, queues, tenant, tenants_in_scope

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

logger = logging.getLogger(__name__)

LOOKED_UP = 5_000
"""Due rows looked up at once, only their ids: finding the next ones means to pass all that are due."""
SHARE_FOR_OLD_MAIL = 0.25
"""Of the time limit: mails that earlier runs left behind must not keep this run from closing."""


def _one_waiting(arguments: dict[str, Any]) -> str:
    wanted = arguments.get("jobneedid")
    return "auto_close_jobs" if wanted is None else f"auto_close_jobs:{wanted}"


@task(
    name="auto_close_jobs",
    queue_name=queues.HIGH_PRIORITY,
    priority=2,
    retry=Retry(5, base=60, factor=2, cap=600),
    timeout_s=300,
    lock="auto_close_jobs",
    queueing_lock=_one_waiting,
    tenant="all",
    takes_context=True,
    schedule="*/30 * * * *",
    seed_class="high",
)
def auto_close_jobs(context: TaskContext, *, jobneedid: int | None = None) -> dict[str, Any]:
    """Close every occurrence whose time is over, or only the one named; R-ACL says what becomes of it.

    Second attempt: closed rows are no longer due, and their mails and tickets are known by the effect keys
    `autoclose-mail:{jobneed_id}` and `autoclose-ticket:{jobneed_id}`, so each exists once.
    """
    if jobneedid is not None and (isinstance(jobneedid, bool) or not isinstance(jobneedid, int) or jobneedid < 1):
        raise BadInput(f"auto_close_jobs: jobneedid is {jobneedid!r}; right is the id of an occurrence, or none.")
    run = _Run(context, clock.now())
    known = False
    for client_id in tenants_in_scope():
        with tenant(client_id):
            if jobneedid is not None and not occurrences_of(client_id).filter(pk=jobneedid).exists():
                continue
            known = True
            run.serve(client_id, jobneedid)
        if run.sweep.stopped:
            break
    if jobneedid is not None and not known:
        raise BadInput(f"auto_close_jobs: there is no occurrence {jobneedid}. Pass the id of a Jobneed of this client.")
    return run.end(jobneedid)


class _Run:
    """One run over the clients: what it found, did and could not do."""

    def __init__(self, context: TaskContext, now: datetime) -> None:
        self.sweep = Sweep(context)
        self._now = now
        self._lookback = timedelta(days=catalog().autoclose_lookback_days)
        self._offsets = Offsets()
        self._outbox = Outbox(MAIL, self._compose, _tell_run)
        self._audience: SiteAudience | None = None
        self._client_id = 0
        self.due = 0
        self.autoclosed = 0
        self.partially_completed = 0
        self.tickets_created = 0
        self.children_closed = 0
        self.ids: list[int] = []

    def serve(self, client_id: int, jobneed_id: int | None) -> None:
        """Send the client's old mails, close its rows, send the new mails."""
        self._client_id, self._audience = client_id, None
        closer = Closer(client_id, self._now, self._lookback, self._offsets)
        self._outbox.send(time_is_up=lambda: self.sweep.time_is_up(SHARE_FOR_OLD_MAIL))

        def page(last: tuple[datetime, int] | None) -> list[tuple[datetime, int]]:
            found = self._due_rows().order_by("expirydatetime", "pk")
            if jobneed_id is not None:
                found = found.filter(pk=jobneed_id)
            if last is not None:
                found = found.filter(Q(expirydatetime__gt=last[0]) | Q(pk__gt=last[1]), expirydatetime__gte=last[0])
            rows = found.values_list("expirydatetime", "pk")[:LOOKED_UP]
            return [(expires_at, pk) for expires_at, pk in rows if expires_at is not None]

        together: list[int] = []
        for _, pk in self.sweep.rows(page, size=LOOKED_UP):
            self.due += 1
            together.append(pk)
            if len(together) >= PAGE:
                self._close_page(closer, together)
                together = []
        self._close_page(closer, together)
        self._outbox.send(time_is_up=self.sweep.time_is_up)

    def _close_page(self, closer: Closer, pks: list[int]) -> None:
        """Close these rows together, or each alone if one of them fails: no row stops another."""
        if len(pks) > 1:
            try:
                self._count(closer.close(pks))
            except errors.SoftTimeLimit:
                raise
            except Exception as error:
                logger.info("%s rows are closed one by one, as together they failed: %s", len(pks), error)
            else:
                return
        for pk in pks:
            with self.sweep.one(pk):
                self._count(closer.close([pk]))

    def end(self, jobneed_id: int | None) -> dict[str, Any]:
        """The result; enqueues the task again if rows remain, and raises if some failed."""
        for key, error in self._outbox.failures:
            self.sweep.note_failure(key, error)
        self.sweep.raise_failures()
        if self.sweep.to_be_continued:
            auto_close_jobs.enqueue(jobneedid=jobneed_id)
        warnings = [*self.sweep.warnings, *self._offsets.warnings, *self._outbox.warnings]
        status = self.sweep.status()
        if jobneed_id is not None and not self.due:
            status = "skipped"
            warnings.append(f"occurrence {jobneed_id} is not due")
        return {
            "status": status,
            "warnings": shortened(warnings),
            "due": self.due,
            "autoclosed": self.autoclosed,
            "partially_completed": self.partially_completed,
            "tickets_created": self.tickets_created,
            "mails_sent": self._outbox.sent,
            "children_closed": self.children_closed,
            "ids": self.ids[:MOST_IDS],
            "failed": self.sweep.failed,
        }

    def _due_rows(self) -> QuerySet[Jobneed]:
        """`rules.is_due` as a query; a test holds the two together."""
        handled = Q()
        for flag in rules.HANDLED_FLAGS:
            handled |= _is_set(flag)
        return occurrences_of(self._client_id).filter(
            entities.points_nowhere("parent"),
            Q(jobstatus__in=rules.OPEN) | (Q(jobstatus=rules.AUTOCLOSED) & ~handled),
            ~_is_set("isdynamic"),
            identifier__in=rules.CLOSABLE,
            expirydatetime__lte=self._now,
            expirydatetime__gte=self._now - self._lookback,
        )

    def _count(self, closed: Closed) -> None:
        self.children_closed += closed.child_count
        for work in closed.works:
            row = work.row
            self.ids.append(row.pk)
            self.autoclosed += work.status == rules.AUTOCLOSED
            self.partially_completed += work.status == rules.PARTIALLYCOMPLETED
            self.tickets_created += work.ticket is not None
            if work.category is not None and work.notice is not rules.notice_for(work.category.tacode):
                self.sweep.warnings.append(f"occurrence {row.pk} has no site; it was closed without a ticket")
            if work.category is None:
                self.sweep.warnings.append(
                    f"occurrence {row.pk} has no notify category; it was closed without a notice"
                )
            if not work.is_first:
                self.sweep.warnings.append(
                    f"occurrence {row.pk} was open again after it had been closed; nobody is told twice"
                )

    def _compose(self, promise: effects.Pending) -> mail.Message:
        if self._audience is None:
            self._audience = SiteAudience(self._client_id)
        people = self._audience.of(promise.payload["site_id"])
        self.sweep.warnings.extend(f"{promise.key}: {warning}" for warning in people.warnings)
        return mail.Message(
            task="auto_close_jobs",
            key=promise.key,
            to=people.addresses,
            template="auto_closed",
            context={**promise.payload["context"], "company_name": catalog().company_name},
        )


def _tell_run(promise: effects.Pending, is_sent: bool) -> None:
    """Of a visit that has a run; promises made before there were runs name none."""
    run = promise.payload.get("run")
    if run is not None:
        planned_maintenance.told(run, is_sent=is_sent)


def _is_set(flag: str) -> Q:
    """Whether a flag of `other_info` is true, or the word "True"."""
    word = Coalesce(Lower(KeyTextTransform(flag, F("other_info"))), Value(""), output_field=TextField())
    return Q(Exact(word, Value("true")))
