"""Closes missed work, many rows at once: with their children, their tickets and the promises of their mails (R-ACL)."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Case, F, Func, JSONField, QuerySet, TextField, Value, When
from django.db.models.lookups import Exact

from task_catalog import entities
from task_catalog.audience import name_of
from task_catalog.email.tickets import send_ticket_email
from task_catalog.escalation import Matrix
from task_catalog.flows import planned_maintenance
from task_catalog.flows.planned_maintenance import Missed
from task_catalog.offsets import Offsets
from task_catalog.rules import closing as rules
from task_catalog.rules.closing import Notice
from task_catalog.rules.local_time import shown
from task_catalog.rules.tickets import next_step_in_words
from task_catalog.tickets import NewTicket, create_tickets
from youtility_tasks import effects, enqueue_many

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed, Ticket, TypeAssist

MAIL = "autoclose-mail:"


@dataclass(slots=True)
class Work:
    """A row that is being closed: what becomes of it, and its ticket if it raises one."""

    row: Jobneed
    notice: Notice
    status: str
    ticket: Ticket | None = None
    is_first: bool = True
    """Whether it was never closed before."""

    @property
    def category(self) -> TypeAssist | None:
        """Its notify category, if it has one."""
        return _category_of(self.row)


@dataclass(frozen=True, slots=True)
class Closed:
    """What one transaction closed."""

    works: Sequence[Work]
    child_count: int


class Closer:
    """Closes rows of one client, as of one moment."""

    def __init__(self, client_id: int, now: datetime, lookback: timedelta, offsets: Offsets) -> None:
        self._client_id = client_id
        self._now = now
        self._lookback = lookback
        self._offsets = offsets
        self._matrix: Matrix | None = None

    def close(self, pks: list[int]) -> Closed:
        """Close rows with their children, their tickets and the promises of their mails, in one transaction.

        One statement of each kind, however many rows. A row that somebody holds is left to the next run; a child that
        somebody holds is waited for, or, with several rows, an error.
        """
        with transaction.atomic():
            works = self._due_under_lock(pks)
            first = effects.once_many({f"autoclose:{work.row.pk}": work.row.bu_id for work in works})
            self._raise_tickets([work for work in works if work.notice is Notice.MAIL_AND_TICKET])
            runs = {work.row.pk: self._run_of(work) for work in works if f"autoclose:{work.row.pk}" in first}
            closed = self._close_stops(works)
            self._set_closed(works)
            effects.promise_many(
                (
                    f"{MAIL}{work.row.pk}",
                    self._promise(work, runs.get(work.row.pk)),
                    work.row.bu_id,
                )
                for work in works
                if work.notice is not Notice.NOTHING
            )
            planned_maintenance.missed([run for run in runs.values() if run is not None])
            enqueue_many(
                send_ticket_email,
                [
                    {"id": work.ticket.pk, "event": "created"}
                    for work in works
                    if work.ticket is not None and runs.get(work.row.pk) is None
                ],
            )
        for work in works:
            work.is_first = f"autoclose:{work.row.pk}" in first
        return Closed(works, closed)

    def _due_under_lock(self, pks: list[int]) -> list[Work]:
        """The rows that are due still, locked with their children, oldest first."""
        rows = (
            occurrences_of(self._client_id)
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("ticketcategory", "bu", "people", "pgroup", "cuser")
            .filter(pk__in=pks)
            .order_by("expirydatetime", "pk")
        )
        due = [row for row in rows if rules.is_due(_as_work(row), now=self._now, lookback=self._lookback)]
        stops: dict[int, list[str]] = {row.pk: [] for row in due}
        locked = occurrences_of(self._client_id).select_for_update(nowait=len(pks) > 1).filter(parent_id__in=stops)
        for parent_id, status in locked.order_by("pk").values_list("parent_id", "jobstatus"):
            stops[parent_id or 0].append(status)
        return [self._work(row, stops[row.pk]) for row in due]

    def _work(self, row: Jobneed, stops: Sequence[str]) -> Work:
        category = _category_of(row)
        notice = rules.notice_for(category.tacode if category else None)
        if notice is Notice.MAIL_AND_TICKET and entities.is_none(row.bu_id):
            notice = Notice.MAIL  # a ticket's number begins with its site
        return Work(row, notice, rules.new_status(row.jobstatus, stops))

    def _run_of(self, work: Work) -> Missed | None:
        """What follows from closing it as a run, for maintenance of which somebody is told."""
        if work.notice is Notice.NOTHING or not planned_maintenance.is_of(work.row):
            return None
        ticket = work.ticket
        return Missed(work.row.pk) if ticket is None else Missed(work.row.pk, ticket.pk, self._levels_of(ticket))

    def _levels_of(self, ticket: Ticket) -> int:
        levels = itertools.takewhile(lambda level: self._steps.step(ticket, level) is not None, itertools.count(1))
        return sum(1 for _ in levels)

    @property
    def _steps(self) -> Matrix:
        if self._matrix is None:
            self._matrix = Matrix(self._client_id)
        return self._matrix

    def _promise(self, work: Work, run: Missed | None) -> dict[str, Any]:
        promised = {"site_id": work.row.bu_id, "context": self._mail_context(work.row, work.ticket)}
        return promised if run is None else {**promised, "run": run.key}

    def _close_stops(self, works: list[Work]) -> int:
        return (
            occurrences_of(self._client_id)
            .filter(parent_id__in=[work.row.pk for work in works], jobstatus=rules.ASSIGNED)
            .update(
                jobstatus=rules.AUTOCLOSED,
                other_info=_with_flags({"autoclosed_by_server": True}),
                mdtz=self._moment,
            )
        )

    def _set_closed(self, works: list[Work]) -> None:
        # Not save(): an adopter's Jobneed.save() would point `ticket` at the NONE row again.
        alike: dict[tuple[str, Notice], list[int]] = defaultdict(list)
        for work in works:
            alike[work.status, work.notice].append(work.row.pk)
        for (status, notice), pks in alike.items():
            occurrences_of(self._client_id).filter(pk__in=pks).update(
                jobstatus=status, other_info=_with_flags(rules.closed_flags(notice)), mdtz=self._moment
            )
        entities.Occurrence.objects.bulk_update(
            [
                entities.Occurrence(pk=work.row.pk, ticket_id=work.ticket.pk, raisedtktflag=True)
                for work in works
                if work.ticket is not None
            ],
            ["ticket_id", "raisedtktflag"],
        )

    def _raise_tickets(self, works: list[Work]) -> None:
        """Give each row that has never raised one its ticket."""
        new = effects.once_many({f"autoclose-ticket:{work.row.pk}": work.row.bu_id for work in works})
        raising = [work for work in works if f"autoclose-ticket:{work.row.pk}" in new]
        tickets = create_tickets([self._ticket(work.row) for work in raising], at=self._now)
        for work, ticket in zip(raising, tickets, strict=True):
            work.ticket = ticket

    def _ticket(self, row: Jobneed) -> NewTicket:
        return NewTicket(
            client_id=self._client_id,
            bu_id=row.bu_id,
            description=rules.ticket_text(row.identifier, row.jobdesc, shown(row.plandatetime, self._offset(row))),
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
                ["Ticket created by", name_of(row.cuser)],
                ["Ticket created", shown(ticket.cdtz, offset)],
                ["Ticket assigned to", _assignee(row)[0]],
            ]
            step = self._steps.step(ticket, 1)
            if step is not None:
                facts.append(["Next escalation", next_step_in_words(step)])
        return {
            "what": "tour" if row.identifier.endswith("TOUR") else row.identifier,
            "planned": shown(row.plandatetime, offset),
            "site": site,
            "ticketno": "" if ticket is None else ticket.ticketno,
            "facts": facts,
        }

    def _offset(self, row: Jobneed) -> int:
        return self._offsets.of(row.ctzoffset, client_id=self._client_id, bu_id=row.bu_id)

    @property
    def _moment(self) -> datetime:
        return self._now.replace(microsecond=0)


def occurrences_of(client_id: int) -> QuerySet[Jobneed]:
    """The client's own, without the NONE row."""
    return entities.Occurrence.objects.filter(client_id=client_id).exclude(pk=entities.none_id())


def _with_flags(flags: dict[str, bool]) -> Func:
    """`other_info` with these flags; whatever is no object there becomes one."""
    info = JSONField()
    kind = Func(F("other_info"), function="jsonb_typeof", output_field=TextField())
    present = Case(When(Exact(kind, Value("object")), then=F("other_info")), default=Value({}, info), output_field=info)
    return Func(present, Value(flags, info), template="(%(expressions)s)", arg_joiner=" || ", output_field=info)


def _category_of(row: Jobneed) -> TypeAssist | None:
    return None if entities.is_none(row.ticketcategory_id) else row.ticketcategory


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
    name, kind = _assignee(row)
    return f"{name} [{kind}]" if kind else name


def _assignee(row: Jobneed) -> tuple[str, str]:
    """The person or else the group who is to do it, and which of them it is; a ticket goes to the same."""
    if not entities.is_none(row.people_id) and row.people is not None:
        return row.people.peoplename, "PEOPLE"
    if not entities.is_none(row.pgroup_id) and row.pgroup is not None:
        return row.pgroup.groupname, "GROUP"
    return "-", ""
