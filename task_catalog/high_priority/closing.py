"""auto_close_jobs (T02): closes work whose time is over, tells those in charge and raises tickets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower
from django.db.models.lookups import Exact

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.audience import SiteAudience, name_of
from task_catalog.conf import catalog
from task_catalog.email.tickets import send_ticket_email
from task_catalog.escalation import Matrix
from task_catalog.offsets import Offsets
from task_catalog.outbox import Outbox
from task_catalog.ports import clock, mail
from task_catalog.rules import closing as rules
from task_catalog.rules.closing import Notice
from task_catalog.rules.local_time import shown
from task_catalog.rules.tickets import next_step_in_words
from task_catalog.sweeps import PAGE, Sweep, shortened
from task_catalog.tickets import NewTicket, assignee_of, create_ticket
from youtility_tasks import BadInput, Retry, TaskContext, effects, queues, tenant, tenants_in_scope

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed, Ticket

MAIL = "autoclose-mail:"
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
            if jobneedid is not None and not _mine(client_id).filter(pk=jobneedid).exists():
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
        self._outbox = Outbox(MAIL, self._compose)
        self._audience: SiteAudience | None = None
        self._matrix: Matrix | None = None
        self._client_id = 0
        self.due = 0
        self.autoclosed = 0
        self.partially_completed = 0
        self.tickets_created = 0
        self.children_closed = 0
        self.ids: list[int] = []

    def serve(self, client_id: int, jobneed_id: int | None) -> None:
        """Send the client's old mails, close its rows, send the new mails."""
        self._client_id, self._audience, self._matrix = client_id, None, None
        self._outbox.send(time_is_up=lambda: self.sweep.time_is_up(SHARE_FOR_OLD_MAIL))

        def page(last: tuple[datetime, int] | None) -> list[tuple[datetime, int]]:
            found = self._due_rows().order_by("expirydatetime", "pk")
            if jobneed_id is not None:
                found = found.filter(pk=jobneed_id)
            if last is not None:
                found = found.filter(Q(expirydatetime__gt=last[0]) | Q(expirydatetime=last[0], pk__gt=last[1]))
            rows = found.values_list("expirydatetime", "pk")[:PAGE]
            return [(expires_at, pk) for expires_at, pk in rows if expires_at is not None]

        for _, pk in self.sweep.rows(page):
            self.due += 1
            with self.sweep.one(pk):
                self._close(pk)
        self._outbox.send(time_is_up=self.sweep.time_is_up)

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
            "ids": self.ids,
            "failed": self.sweep.failed,
        }

    def _due_rows(self) -> QuerySet[Jobneed]:
        """`rules.is_due` as a query; a test holds the two together."""
        handled = Q()
        for flag in rules.HANDLED_FLAGS:
            handled |= _is_set(flag)
        return _mine(self._client_id).filter(
            entities.points_nowhere("parent"),
            Q(jobstatus__in=rules.OPEN) | (Q(jobstatus=rules.AUTOCLOSED) & ~handled),
            ~_is_set("isdynamic"),
            identifier__in=rules.CLOSABLE,
            expirydatetime__lte=self._now,
            expirydatetime__gte=self._now - self._lookback,
        )

    def _close(self, pk: int) -> None:
        """Close one row, with its children, its ticket and the promise of its mail, in one transaction."""
        with transaction.atomic():
            row = (
                _mine(self._client_id)
                .select_for_update(of=("self",), skip_locked=True)
                .select_related("ticketcategory", "bu", "people", "pgroup", "cuser")
                .filter(pk=pk)
                .first()
            )
            if row is None or not rules.is_due(_as_work(row), now=self._now, lookback=self._lookback):
                return
            stops = list(_mine(self._client_id).select_for_update().filter(parent_id=row.pk).order_by("pk"))
            category = None if entities.is_none(row.ticketcategory_id) else row.ticketcategory
            notice = rules.notice_for(category.tacode if category else None)
            status = rules.new_status(row.jobstatus, [stop.jobstatus for stop in stops])
            first = effects.once(f"autoclose:{row.pk}", bu_id=row.bu_id)
            ticket = None
            if notice is Notice.MAIL_AND_TICKET and effects.once(f"autoclose-ticket:{row.pk}", bu_id=row.bu_id):
                ticket = self._raise_ticket(row)
            closed = self._close_stops(stops)
            # Not save(): an adopter's Jobneed.save() would point `ticket` at the NONE row again.
            _mine(self._client_id).filter(pk=row.pk).update(
                jobstatus=status,
                other_info=rules.closed_info(_info(row), notice),
                mdtz=self._moment,
                **({"ticket_id": ticket.pk, "raisedtktflag": True} if ticket else {}),
            )
            if notice is not Notice.NOTHING:
                effects.promise(
                    f"{MAIL}{row.pk}",
                    payload={"site_id": row.bu_id, "context": self._mail_context(row, ticket)},
                    bu_id=row.bu_id,
                )
            if ticket is not None:
                send_ticket_email.enqueue(id=ticket.pk, event="created")
        self.ids.append(row.pk)
        self.autoclosed += status == rules.AUTOCLOSED
        self.partially_completed += status == rules.PARTIALLYCOMPLETED
        self.tickets_created += ticket is not None
        self.children_closed += closed
        if category is None:
            self.sweep.warnings.append(f"occurrence {row.pk} has no notify category; it was closed without a notice")
        if not first:
            self.sweep.warnings.append(
                f"occurrence {row.pk} was open again after it had been closed; nobody is told twice"
            )

    def _close_stops(self, stops: list[Jobneed]) -> int:
        untouched = [stop for stop in stops if stop.jobstatus == rules.ASSIGNED]
        for stop in untouched:
            stop.jobstatus = rules.AUTOCLOSED
            stop.other_info = {**_info(stop), "autoclosed_by_server": True}
            stop.mdtz = self._moment
        entities.Occurrence.objects.bulk_update(untouched, ["jobstatus", "other_info", "mdtz"])
        return len(untouched)

    def _raise_ticket(self, row: Jobneed) -> Ticket:
        planned = shown(row.plandatetime, self._offset(row))
        return create_ticket(
            NewTicket(
                client_id=self._client_id,
                bu_id=row.bu_id,
                description=rules.ticket_text(row.identifier, row.jobdesc, planned),
                category_id=row.ticketcategory_id,
                priority=row.priority,
                person_id=row.people_id,
                group_id=row.pgroup_id,
                asset_id=row.asset_id,
                qset_id=row.qset_id,
                creator_id=row.cuser_id,
                modifier_id=row.muser_id,
                ctzoffset=row.ctzoffset,
                source="SYSTEMGENERATED",
            ),
            at=self._now,
        )

    def _mail_context(self, row: Jobneed, ticket: Ticket | None) -> dict[str, Any]:
        """What the mail will say, as plain JSON: it tells how things were when the row was closed."""
        offset = self._offset(row)
        site = "-" if row.bu is None else row.bu.buname
        facts = [
            ["Site", site],
            ["Description", row.jobdesc],
            ["Planned", shown(row.plandatetime, offset)],
            ["Created by", name_of(row.cuser)],
            ["Assigned to", _assigned(row)],
            ["Expired at", shown(row.expirydatetime, offset)],
        ]
        if ticket is not None:
            facts += [
                ["Ticket", ticket.ticketno],
                ["Ticket description", ticket.ticketdesc],
                ["Category", row.ticketcategory.taname if row.ticketcategory else "-"],
                ["Priority", ticket.priority],
                ["Status", ticket.status],
                ["Ticket created by", name_of(ticket.cuser)],
                ["Ticket created", shown(ticket.cdtz, offset)],
                ["Ticket assigned to", assignee_of(ticket)],
            ]
            if self._matrix is None:
                self._matrix = Matrix(self._client_id)
            step = self._matrix.step(ticket, 1)
            if step is not None:
                facts.append(["Next escalation", next_step_in_words(step)])
        return {
            "what": "tour" if row.identifier.endswith("TOUR") else row.identifier,
            "planned": shown(row.plandatetime, offset),
            "site": site,
            "ticketno": "" if ticket is None else ticket.ticketno,
            "facts": facts,
        }

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

    def _offset(self, row: Jobneed) -> int:
        return self._offsets.of(row.ctzoffset, client_id=self._client_id, bu_id=row.bu_id)

    @property
    def _moment(self) -> datetime:
        return self._now.replace(microsecond=0)


def _mine(client_id: int) -> QuerySet[Jobneed]:
    return entities.Occurrence.objects.filter(client_id=client_id).exclude(pk=entities.none_id())


def _is_set(flag: str) -> Q:
    """Whether a flag of `other_info` is true, or the word "True"."""
    word = Coalesce(Lower(KeyTextTransform(flag, F("other_info"))), Value(""), output_field=TextField())
    return Q(Exact(word, Value("true")))


def _info(row: Jobneed) -> dict[str, Any]:
    return row.other_info if isinstance(row.other_info, dict) else {}


def _as_work(row: Jobneed) -> rules.Work:
    return rules.Work(
        is_root=entities.is_none(row.parent_id),
        identifier=row.identifier,
        status=row.jobstatus,
        expires_at=row.expirydatetime,
        other_info=_info(row),
    )


def _assigned(row: Jobneed) -> str:
    if not entities.is_none(row.people_id) and row.people is not None:
        return f"{row.people.peoplename} [PEOPLE]"
    if not entities.is_none(row.pgroup_id) and row.pgroup is not None:
        return f"{row.pgroup.groupname} [GROUP]"
    return "-"
