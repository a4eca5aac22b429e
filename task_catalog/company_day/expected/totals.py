"""All totals of the day by name; `reconcile` measures the same names in the database, the history and the sink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from task_catalog.company_day.definitions import (
    CLIENTS,
    EXPIRED_SESSIONS,
    IDLE_PLANS,
    KINDS,
    SESSIONS,
    Plan,
    producing_plans,
)

from .calendar import local_date, sweeps
from .happened import Happened
from .ledger import jobs, messages, reminder_word
from .offices import paperwork, reports
from .outside import traffic
from .planning import Reminder, Root
from .tickets import PersonTicket
from .values import Totals, by_client
from .work import Outcome

_STATUSES = ("COMPLETED", "AUTOCLOSED", "PARTIALLYCOMPLETED", "ASSIGNED")


def totals(day: date, scale: int) -> Totals:
    """Every total of the day for any date and scale, by its name, in the order in which people read them."""
    found = Happened.on(day, scale)
    every_root = [root for of_plan in found.roots.values() for root in of_plan]
    return {
        **_company(scale),
        **_create_job(every_root, day),
        **_create_ppm_job(every_root, found.reminders, day),
        **_spot_values(found.roots),
        **_work(found.ends),
        **_end_of_day(found.ends, found.reminders, day),
        **_summaries(found.ends, day),
        **_tickets(found.tickets, found.ends),
        **paperwork(),
        **reports(found),
        **traffic(found),
        **_upkeep(day),
        **jobs(found),
        **messages(found),
        **_invariants(),
    }


def _company(scale: int) -> Totals:
    plans = list(producing_plans(scale))
    return {
        "plans that produce": by_client(plan.client.letter for plan in plans),
        "plans that produce nothing": by_client(client.letter for client in CLIENTS for _ in IDLE_PLANS),
    }


def _create_job(every_root: list[Root], day: date) -> Totals:
    made = [root for root in every_root if root.plan.kind.identifier != "PPM"]
    found: Totals = {}
    for run in sweeps("create_job", day):
        of_run = [root for root in made if root.made_at == run]
        found[f"create_job {run:%H:%M}"] = _rows(of_run)
    found["create_job all runs"] = _rows(made)
    found["create_job roots"] = by_client(root.plan.client.letter for root in made)
    found["create_job children"] = by_client(root.plan.client.letter for root in made for _ in root.stops)
    for client in CLIENTS:
        codes = Counter(root.plan.kind.code for root in made if root.plan.client is client)
        found[f"create_job roots of {client.letter} by plan"] = {
            kind.code: codes[kind.code] for kind in KINDS.values() if kind.identifier != "PPM"
        }
    for run in sweeps("create_job", day):
        found[f"create_job {run:%H:%M} reports a bad cron"] = by_client(client.letter for client in CLIENTS)
    return found


def _rows(roots: list[Root]) -> dict[str, int]:
    return {
        "roots": len(roots),
        "children": sum(len(root.stops) for root in roots),
        "details": sum(root.details for root in roots),
    }


def _create_ppm_job(every_root: list[Root], notes: list[Reminder], day: date) -> Totals:
    made = [root for root in every_root if root.plan.kind.identifier == "PPM"]
    found: Totals = {}
    for run in sweeps("create_ppm_job", day):
        of_run = [root for root in made if root.made_at == run]
        of_notes = [note for note in notes if note.root.made_at == run]
        found[f"create_ppm_job {run:%H:%M}"] = {
            "roots": len(of_run),
            "details": sum(root.details for root in of_run),
            "reminders": sum(note.is_made for note in of_notes),
            "skipped as past": sum(not note.is_made for note in of_notes),
        }
    found["create_ppm_job roots"] = by_client(root.plan.client.letter for root in made)
    found["create_ppm_job reminders"] = by_client(note.root.plan.client.letter for note in notes if note.is_made)
    return found


def _spot_values(roots: dict[Plan, list[Root]]) -> Totals:
    found: Totals = {}
    tours = [of_plan[0] for plan, of_plan in roots.items() if plan.kind.code == "TR" and plan.site == 0]
    for root in tours:
        stops = ", ".join(f"{begins:%H:%M}-{ends:%H:%M}" for begins, ends in root.stops)
        name = f"first tour of {root.plan.client.letter}'s first site"
        found[name] = f"P {root.planned_at:%H:%M}; {stops}; E {root.expires_at:%H:%M}"
    for plan, of_plan in roots.items():
        if plan.kind.code == "EX":
            first = of_plan[0]
            name = f"first external tour of {plan.client.letter}"
            found[name] = f"P {first.planned_at:%H:%M}; E {first.expires_at:%H:%M}; {len(first.stops)} sites"
    for code in ("T1", "PW"):
        found[f"lastgeneratedon of {code}"] = {
            plan.client.letter: f"{of_plan[-1].planned_at:%Y-%m-%d %H:%M}"
            for plan, of_plan in roots.items()
            if plan.kind.code == code and plan.site == 0 and plan.nth == 0
        }
    return found


def _work(ends: list[Outcome]) -> Totals:
    closed = [end for end in ends if end.closed_by_server]
    found: Totals = {
        "roots due by the last auto-close": _clients(end for end in ends if end.is_due),
        "roots completed": _clients(end for end in ends if end.status == "COMPLETED"),
        "roots closed by the server": _clients(closed),
    }
    for category in ("AUTOCLOSED", "AUTOCLOSENOTIFY", "RAISETICKETNOTIFY"):
        found[f"closed with {category}"] = _clients(end for end in closed if end.root.plan.category == category)
    found["closed as"] = {
        status: sum(end.status == status for end in closed) for status in ("AUTOCLOSED", "PARTIALLYCOMPLETED")
    }
    found["auto-close mails"] = _clients(end for end in ends if end.is_mailed)
    found["tickets raised"] = _clients(end for end in ends if end.raises_ticket)
    found["completed with an answer in alert"] = _clients(end for end in ends if end.in_alert)
    return found


def _clients(ends: Iterable[Outcome]) -> dict[str, int]:
    return by_client(end.root.plan.client.letter for end in ends)


def _end_of_day(ends: list[Outcome], notes: list[Reminder], day: date) -> Totals:
    found: Totals = {"roots at the end": _statuses(end.status for end in ends)}
    for identifier in ("TASK", "INTERNALTOUR", "EXTERNALTOUR", "PPM"):
        found[f"{identifier} roots at the end"] = _statuses(
            end.status for end in ends if end.root.plan.kind.identifier == identifier
        )
    found["children at the end"] = _statuses(status for end in ends for status in end.stops)
    made = [note for note in notes if note.is_made]
    found["rows"] = {
        "jobneed": len(ends) + sum(len(end.stops) for end in ends),
        "jobneeddetails": sum(end.root.details for end in ends),
        "reminder": len(made),
    }
    words = Counter(reminder_word(note, day) for note in made)
    found["reminders at the end"] = {word: words[word] for word in ("SUCCESS", "FAILED", "pending")}
    return found


def _statuses(found: Iterable[str]) -> dict[str, int]:
    counts = Counter(found)
    return {**{status: counts[status] for status in _STATUSES}, "all": counts.total()}


def _summaries(ends: list[Outcome], day: date) -> Totals:
    found: Totals = {}
    for name, identifier in (("TASKSUMMARY", "TASK"), ("TOURSUMMARY", "INTERNALTOUR")):
        for client in CLIENTS:
            found[f"{name} {client.letter}"] = _statuses(
                end.status
                for end in ends
                if end.root.plan.client is client
                and end.root.plan.kind.identifier == identifier
                and local_date(end.root.planned_at, client.offset_min) == day
            )
    return found


def _tickets(tickets: list[PersonTicket], ends: list[Outcome]) -> Totals:
    found: Totals = {
        "tickets made by people": by_client(ticket.client.letter for ticket in tickets),
        "tickets": len(tickets) + sum(end.raises_ticket for end in ends),
    }
    for level in (1, 2, 3):
        found[f"escalations to level {level}"] = by_client(
            ticket.client.letter for ticket in tickets if ticket.level >= level
        )
    found["escalations"] = sum(ticket.level for ticket in tickets)
    levels = Counter(ticket.level for ticket in tickets)
    found["levels of people's tickets"] = {str(level): levels[level] for level in range(4)}
    states = Counter(ticket.status for ticket in tickets)
    found["states of people's tickets"] = dict(sorted(states.items()))
    found["raised tickets above level 0"] = 0
    found["tickets escalated after their end"] = 0
    return found


def _upkeep(day: date) -> Totals:
    return {
        "sessions": {"deleted": EXPIRED_SESSIONS, "left": SESSIONS - EXPIRED_SESSIONS},
        "heartbeats": len(sweeps("task_every_min", day)),
    }


def _invariants() -> Totals:
    return {
        "a second planning sweep at the same instant creates": 0,
        "a second run of any other sweep at the same instant does": 0,
        "occurrences planned twice": 0,
        "rows of plans that must produce nothing": 0,
        "sites whose ticket numbers have a gap or a double": 0,
        "sites whose permit numbers have a gap or a double": 0,
        "jobs left waiting or running": 0,
        "failed jobs without an error": 0,
        "messages with one effect key and different Message-IDs": 0,
        "messages to people of two clients": 0,
        "messages that tell of another client": 0,
    }
