"""What was planned and what became of it: plans, occurrences, question rows, reminders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from task_catalog import entities
from task_catalog.company_day.company import Company
from task_catalog.company_day.definitions import CLIENTS, KINDS, REMINDER_RULES
from task_catalog.company_day.expected import Totals
from task_catalog.company_day.played import Played

from .letters import by_client

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from task_catalog.facility.models import Jobneed

STATUSES = ("COMPLETED", "AUTOCLOSED", "PARTIALLYCOMPLETED", "ASSIGNED")
CLOSED = ("AUTOCLOSED", "PARTIALLYCOMPLETED")


def count_rows(company: Company, day: date, played: Played) -> Totals:
    """The totals of planning, of work and of auto-close."""
    return {
        **_plans(company),
        **_create_job(company, played.instants("create_job")),
        **_create_ppm_job(company, played.instants("create_ppm_job")),
        **_spot_values(company),
        **_work(company, played.instants("auto_close_jobs")),
        **_end_of_day(company),
        **_summaries(company, day),
        **_faults(company),
    }


def _roots(company: Company) -> QuerySet[Jobneed]:
    return entities.Occurrence.objects.filter(entities.points_nowhere("parent"), client_id__in=company.client_ids)


def _stops(company: Company) -> QuerySet[Jobneed]:
    rows = entities.Occurrence.objects.filter(client_id__in=company.client_ids)
    return rows.exclude(entities.points_nowhere("parent"))


def _clients(company: Company, rows: QuerySet[Jobneed]) -> dict[str, int]:
    return by_client(company, rows.values_list("client_id", flat=True))


def _plans(company: Company) -> Totals:
    roots = entities.Plan.objects.filter(entities.points_nowhere("parent"), client_id__in=company.client_ids)
    producing, idle = roots.filter(pk__in=company.plans), roots.filter(pk__in=company.idle_plan_ids)
    return {
        "plans that produce": by_client(company, producing.values_list("client_id", flat=True)),
        "plans that produce nothing": by_client(company, idle.values_list("client_id", flat=True)),
    }


def _create_job(company: Company, runs: list[datetime]) -> Totals:
    roots, stops = _roots(company).exclude(identifier="PPM"), _stops(company)
    details = entities.Detail.objects.filter(jobneed__client_id__in=company.client_ids).exclude(
        jobneed__identifier="PPM"
    )
    found: Totals = {}
    for run in runs:
        found[f"create_job {run:%H:%M}"] = {
            "roots": roots.filter(cdtz=run).count(),
            "children": stops.filter(cdtz=run).count(),
            "details": details.filter(jobneed__cdtz=run).count(),
        }
    found["create_job all runs"] = {"roots": roots.count(), "children": stops.count(), "details": details.count()}
    found["create_job roots"] = _clients(company, roots)
    found["create_job children"] = _clients(company, stops)
    codes = Counter(
        (plan.client.letter, plan.kind.code)
        for job_id in roots.values_list("job_id", flat=True)
        if (plan := company.plans.get(job_id or 0)) is not None
    )
    for letter in company.clients:
        found[f"create_job roots of {letter} by plan"] = {
            kind.code: codes[letter, kind.code] for kind in KINDS.values() if kind.identifier != "PPM"
        }
    return found


def _create_ppm_job(company: Company, runs: list[datetime]) -> Totals:
    roots = _roots(company).filter(identifier="PPM")
    details = entities.Detail.objects.filter(jobneed__client_id__in=company.client_ids, jobneed__identifier="PPM")
    reminders = entities.Reminder.objects.filter(job__client_id__in=company.client_ids)
    found: Totals = {}
    for run in runs:
        made, reminded = roots.filter(cdtz=run).count(), reminders.filter(jobneed__cdtz=run).count()
        found[f"create_ppm_job {run:%H:%M}"] = {
            "roots": made,
            "details": details.filter(jobneed__cdtz=run).count(),
            "reminders": reminded,
            "skipped as past": made * len(REMINDER_RULES) - reminded,
        }
    found["create_ppm_job roots"] = _clients(company, roots)
    found["create_ppm_job reminders"] = by_client(company, reminders.values_list("job__client_id", flat=True))
    return found


def _spot_values(company: Company) -> Totals:
    first_of_site = {
        (plan.kind.code, plan.client.letter): job_id
        for job_id, plan in company.plans.items()
        if plan.site in (0, None) and plan.nth == 0
    }
    found: Totals = {}
    for letter in company.clients:
        root, stops = _first(first_of_site["TR", letter])
        if root is not None:
            legs = ", ".join(f"{_hour(stop.plandatetime)}-{_hour(stop.expirydatetime)}" for stop in stops)
            words = f"P {_hour(root.plandatetime)}; {legs}; E {_hour(root.expirydatetime)}"
            found[f"first tour of {letter}'s first site"] = words
        root, stops = _first(first_of_site["EX", letter])
        if root is not None:
            words = f"P {_hour(root.plandatetime)}; E {_hour(root.expirydatetime)}; {len(stops)} sites"
            found[f"first external tour of {letter}"] = words
    for code in ("T1", "PW"):
        plans = {letter: entities.Plan.objects.get(pk=first_of_site[code, letter]) for letter in company.clients}
        found[f"lastgeneratedon of {code}"] = {
            letter: f"{plan.lastgeneratedon:%Y-%m-%d %H:%M}" if plan.lastgeneratedon else "-"
            for letter, plan in plans.items()
        }
    return found


def _first(job_id: int) -> tuple[Jobneed | None, list[Jobneed]]:
    """A plan's first occurrence, and its stops in order."""
    of_plan = entities.Occurrence.objects.filter(entities.points_nowhere("parent"), job_id=job_id)
    root = of_plan.order_by("plandatetime").first()
    return root, list(entities.Occurrence.objects.filter(parent_id=root.pk).order_by("seqno")) if root else []


def _hour(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%H:%M}" if instant else "-"


def _work(company: Company, closings: list[datetime]) -> Totals:
    roots = _roots(company)
    closed = roots.filter(jobstatus__in=CLOSED, other_info__autoclosed_by_server=True)
    found: Totals = {
        "roots due by the last auto-close": _clients(company, roots.filter(expirydatetime__lte=closings[-1])),
        "roots completed": _clients(company, roots.filter(jobstatus="COMPLETED")),
        "roots closed by the server": _clients(company, closed),
    }
    for category in ("AUTOCLOSED", "AUTOCLOSENOTIFY", "RAISETICKETNOTIFY"):
        found[f"closed with {category}"] = _clients(company, closed.filter(ticketcategory__tacode=category))
    found["closed as"] = {status: closed.filter(jobstatus=status).count() for status in CLOSED}
    found["auto-close mails"] = _clients(company, closed.filter(other_info__email_sent=True))
    raised = closed.filter(other_info__ticket_generated=True, raisedtktflag=True)
    found["tickets raised"] = _clients(company, raised.exclude(entities.points_nowhere("ticket")))
    found["completed with an answer in alert"] = _clients(company, roots.filter(jobstatus="COMPLETED", alerts=True))
    return found


def _end_of_day(company: Company) -> Totals:
    roots, stops = _roots(company), _stops(company)
    reminders = entities.Reminder.objects.filter(job__client_id__in=company.client_ids)
    found: Totals = {"roots at the end": _statuses(roots)}
    for identifier in ("TASK", "INTERNALTOUR", "EXTERNALTOUR", "PPM"):
        found[f"{identifier} roots at the end"] = _statuses(roots.filter(identifier=identifier))
    found["children at the end"] = _statuses(stops)
    found["rows"] = {
        "jobneed": entities.Occurrence.objects.filter(client_id__in=company.client_ids).count(),
        "jobneeddetails": entities.Detail.objects.filter(jobneed__client_id__in=company.client_ids).count(),
        "reminder": reminders.count(),
    }
    words = Counter(status or "pending" for status in reminders.values_list("status", flat=True))
    found["reminders at the end"] = {"SUCCESS": 0, "FAILED": 0, "pending": 0, **words}
    return found


def _statuses(rows: QuerySet[Jobneed]) -> dict[str, int]:
    return _counted(rows.values_list("jobstatus", flat=True))


def _counted(statuses: Iterable[str]) -> dict[str, int]:
    counts = Counter(statuses)
    return {**dict.fromkeys(STATUSES, 0), **counts, "all": counts.total()}


def _summaries(company: Company, day: date) -> Totals:
    """What the two daily reports show for the local date of the plan time."""
    found: Totals = {}
    for name, identifier in (("TASKSUMMARY", "TASK"), ("TOURSUMMARY", "INTERNALTOUR")):
        for client in CLIENTS:
            rows = _roots(company).filter(client_id=company.clients[client.letter].id, identifier=identifier)
            shift = timedelta(minutes=client.offset_min)
            found[f"{name} {client.letter}"] = _counted(
                status
                for planned_at, status in rows.values_list("plandatetime", "jobstatus")
                if planned_at is not None and (planned_at.astimezone(UTC) + shift).date() == day
            )
    return found


def _faults(company: Company) -> Totals:
    again = Count("pk")
    doubled = _roots(company).values("job_id", "plandatetime").annotate(n=again).filter(n__gt=1).count()
    doubled += _stops(company).values("parent_id", "seqno").annotate(n=again).filter(n__gt=1).count()
    idle = entities.Occurrence.objects.filter(job_id__in=company.idle_plan_ids)
    strangers = Q(client_id__in=company.client_ids) & ~Q(job_id__in=list(company.plans))
    return {
        "occurrences planned twice": doubled,
        "rows of plans that must produce nothing": (
            idle.count()
            + entities.Occurrence.objects.filter(strangers).exclude(job_id__in=company.idle_plan_ids).count()
        ),
    }
