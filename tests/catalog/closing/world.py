"""A small company for tests: a client with sites, people, work, tickets, in few words."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from task_catalog import entities
from task_catalog.facility.clients import create_client, create_site
from task_catalog.facility.models import (
    Bt,
    EscalationMatrix,
    Job,
    Jobneed,
    People,
    Pgroup,
    Reminder,
    Ticket,
    TypeAssist,
)
from task_catalog.tickets import NewTicket, create_ticket
from youtility_tasks import TaskContext, tenant

START = datetime(2025, 3, 3, tzinfo=UTC)
NOON = START.replace(hour=12)
NONE = 1


def columns_of(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The defaults, unless given by the column's name or by the name of the object behind it."""
    kept = {name: value for name, value in defaults.items() if name.removesuffix("_id") not in given}
    return {**kept, **given}


class Company:
    """One client. People have the same codes as everybody else's, on purpose."""

    def __init__(self, name: str, *, ctzoffset: int = 0) -> None:
        self.name = name
        self.ctzoffset = ctzoffset
        self.client: Bt = create_client(name, name.upper(), at=START, ctzoffset=ctzoffset)
        self._count = itertools.count(1)

    @property
    def id(self) -> int:
        return self.client.pk

    def stamps(self, **more: Any) -> dict[str, Any]:
        return {
            "cdtz": START,
            "mdtz": START,
            "ctzoffset": self.ctzoffset,
            "cuser_id": NONE,
            "muser_id": NONE,
            **more,
        }

    def site(self, code: str) -> Bt:
        return create_site(self.client, f"{self.name} site {code}", f"{self.name.upper()}-{code}", at=START)

    def word(self, code: str, kind: str | None = None) -> TypeAssist:
        found, _ = TypeAssist.objects.get_or_create(
            tacode=code,
            tatype_id=NONE if kind is None else self.word(kind).pk,
            client_id=self.id,
            defaults={"taname": code.title(), **self.stamps()},
        )
        return found

    def person(self, code: str, site: Bt | None = None, *, role: str | None = None, **columns: Any) -> People:
        facts: dict[str, Any] = {
            "peoplename": f"{code} of {self.name}",
            "email": f"{code}.{next(self._count)}@{self.name}.example",
            "isverified": True,
            "client_id": self.id,
            "bu_id": (site or self.client).pk,
            "designation_id": NONE if role is None else self.word(role, "DESIGNATION").pk,
            "worktype_id": NONE,
            **columns,
        }
        return People.objects.create(peoplecode=f"{code}{next(self._count)}", **facts, **self.stamps())

    def in_charge(self, site: Bt) -> People:
        return self.person("boss", site, role="SITEINCHARGE")

    def group(self, *members: People | Bt) -> Pgroup:
        of_sites = any(isinstance(member, Bt) for member in members)
        group = Pgroup.objects.create(
            groupname=f"group {next(self._count)}",
            identifier=self.word("SITEGROUP" if of_sites else "PEOPLEGROUP"),
            client_id=self.id,
            bu_id=self.id,
            **self.stamps(),
        )
        for member in members:
            entities.GroupMember.objects.create(
                pgroup=group,
                people_id=member.pk if isinstance(member, People) else NONE,
                assignsites_id=member.pk if isinstance(member, Bt) else NONE,
                client_id=self.id,
                bu_id=self.id,
                **self.stamps(),
            )
        return group

    def plan(self, site: Bt, **columns: Any) -> Job:
        facts = {"jobname": f"plan {next(self._count)}", "client_id": self.id, "bu": site, "parent_id": NONE, **columns}
        return Job.objects.create(**facts, **self.stamps())

    def work(self, site: Bt, *, notify: str | None = "AUTOCLOSED", **columns: Any) -> Jobneed:
        """A TASK planned at 10:00 and expired at 11:00 of the day."""
        facts: dict[str, Any] = {
            "jobdesc": f"work {next(self._count)}",
            "identifier": "TASK",
            "plandatetime": START + timedelta(hours=10),
            "expirydatetime": START + timedelta(hours=11),
            "parent_id": NONE,
            "client_id": self.id,
            "bu": site,
            "people_id": NONE,
            "pgroup_id": NONE,
            "ticket_id": NONE,
            "asset_id": NONE,
            "qset_id": NONE,
            "ticketcategory_id": NONE if notify is None else self.word(notify, "NOTIFYCATEGORY").pk,
            **self.stamps(),
        }
        return Jobneed.objects.create(**columns_of(facts, columns))

    def stop(self, tour: Jobneed, status: str, **columns: Any) -> Jobneed:
        return Jobneed.objects.create(
            jobdesc=f"stop {next(self._count)}",
            identifier=tour.identifier,
            jobstatus=status,
            parent=tour,
            client_id=self.id,
            bu=tour.bu,
            plandatetime=tour.plandatetime,
            expirydatetime=tour.expirydatetime,
            **self.stamps(),
            **columns,
        )

    def step(
        self, category: TypeAssist, level: int, value: int | None, frequency: str, **columns: Any
    ) -> EscalationMatrix:
        defaults = {"bu": self.client, "job_id": NONE, "assignedperson_id": NONE, "assignedgroup_id": NONE}
        return EscalationMatrix.objects.create(
            escalationtemplate=category,
            level=level,
            frequency=frequency,
            frequencyvalue=value,
            client_id=self.id,
            **columns_of(defaults, columns),
            **self.stamps(),
        )

    def ticket(self, site: Bt, *, at: datetime = START, **facts: Any) -> Ticket:
        with tenant(self.id):
            return create_ticket(
                NewTicket(
                    client_id=self.id, bu_id=site.pk, **{"description": "a leak", "ctzoffset": self.ctzoffset, **facts}
                ),
                at=at,
            )

    def reminder(self, site: Bt, *, remind_at: datetime, planned_at: datetime, **columns: Any) -> Reminder:
        plan = columns.pop("job", None) or self.plan(site, identifier="PPM")
        facts: dict[str, Any] = {
            "job": plan,
            "jobneed_id": NONE,
            "bu": site,
            "people_id": NONE,
            "group_id": NONE,
            "reminderin": "HOUR",
            "reminderbefore": 2,
            **self.stamps(),
        }
        return Reminder.objects.create(reminderdate=remind_at, plandatetime=planned_at, **columns_of(facts, columns))


def run(task: Any, *, attempt: int = 1, used_up: float = 0.0, **kwargs: Any) -> dict[str, Any]:
    """Run a task's body here and now, as the attempt given, with this share of its time limit gone."""
    context = TaskContext.for_tests(task, attempt=attempt)
    if used_up:
        object.__setattr__(context, "started", context.started - used_up * task.timeout_s)
    result: dict[str, Any] = task.func(context, **kwargs)
    return result


def tour_of(acme: Company, site, status: str, stops: list[str], **columns):
    tour = acme.work(site, identifier="INTERNALTOUR", jobstatus=status, **columns)
    return tour, [acme.stop(tour, each) for each in stops]


def emails_of(company: Company) -> list[str]:
    return list(People.objects.filter(client_id=company.id).values_list("email", flat=True))


def statuses(*rows: Jobneed) -> list[str]:
    return [Jobneed.objects.get(pk=row.pk).jobstatus for row in rows]
