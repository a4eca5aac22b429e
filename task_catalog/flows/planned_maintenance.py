"""W1: what comes after a maintenance visit that was done or missed: the alert, the notice, the ticket and its way up the matrix.

Plans, reminders, visits and tickets are found by the clock and by their own state, so no run waits for a visit to come. The task that
finds what is due begins a run for it, in the transaction that stores it, or says to the run how it went on. Visits of other kinds have
the same tasks and no run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from task_catalog import entities
from task_catalog.email.alerts import alert_sendmail
from task_catalog.email.tickets import send_ticket_email
from task_catalog.rules import tickets as rules
from task_catalog.rules.scheduling import MAINTAINED
from youtility_tasks import Run, Workflow
from youtility_tasks.errors import SignalRefused, WorkflowNotFound
from youtility_tasks.models import WorkflowStep

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

NAME, SITE_TOLD = "planned maintenance", "site told"
MOST_LEVELS = 20
"""Of the matrix that a run waits for; a ticket that climbs higher has its mail all the same."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A visit that was closed and of which somebody is told."""

    visit_id: int
    ticket_id: int | None = None
    levels: int = 0
    """Of the matrix, that the ticket can climb to one after the other."""

    @property
    def key(self) -> str:
        """Of its run: a visit raises one ticket, and is told of once."""
        return f"visit:{self.visit_id}" if self.ticket_id is None else _key(self.ticket_id)


def is_of(visit: Jobneed) -> bool:
    """Whether what comes after this visit is a run's business."""
    return visit.identifier in MAINTAINED


def done(visit_ids: Iterable[int]) -> None:
    """Have it told what these visits found, in the caller's transaction: the task looks whether there is anything to tell.

    A visit that is reported done again is looked at again; its effect key keeps people from being told twice.
    """
    flows = []
    for visit_id in visit_ids:
        flow = Workflow(NAME)
        flow.step(alert_sendmail, id=visit_id, event="observation", atts=True)
        flows.append((flow, None, None))
    Workflow.start_many(flows)


def missed(visits: Sequence[Missed]) -> None:
    """Begin what follows from closing these visits, in the transaction that closes them; a second call finds the same runs."""
    Workflow.start_many([(_after_closing(each), None, each.key) for each in visits])


def _after_closing(visit: Missed) -> Workflow:
    flow = Workflow(NAME)
    flow.signal(SITE_TOLD)
    if visit.ticket_id is None:
        return flow
    flow.step(send_ticket_email, id=visit.ticket_id, event="created")
    # Not behind the mail: a ticket that nobody heard of climbs, too.
    before = None
    for level in range(1, min(visit.levels, MOST_LEVELS) + 1):
        above = None if before is None else before.result["is_reached"].equals(True)
        before = flow.signal(_reached(level), after=before, when=above)
        flow.step(
            send_ticket_email,
            name=f"level {level} told",
            after=before,
            when=before.result["is_reached"].equals(True),
            id=visit.ticket_id,
            event="escalated",
            level=level,
        )
    return flow


def told(key: str, *, is_sent: bool) -> None:
    """Say that the mail about a closed visit was sent, or that it never will be; in the transaction that stores it."""
    _say(key, SITE_TOLD, {"is_sent": is_sent})


def climbed(ticket_id: int, level: int) -> bool:
    """Say that a ticket has climbed to a level, in the transaction that lifts it; whether a run has it told.

    False for tickets that no run was begun for, and for levels that the matrix had not when it was.
    """
    return _say(_key(ticket_id), _reached(level), {"is_reached": True})


def let_go(client_id: int) -> int:
    """Let the runs of the current client end whose tickets have ended, or are gone: they climb no more. How many there were."""
    levels: dict[str, list[str]] = {}
    waiting = WorkflowStep.objects.filter(kind="signal", status="todo", workflow__name=NAME, tenant_id=client_id)
    for key, name in waiting.exclude(name=SITE_TOLD).values_list("workflow__key", "name"):
        levels.setdefault(key or "", []).append(name)
    tickets = entities.Ticket.objects.filter(client_id=client_id, status__in=rules.LIVE)
    live = {_key(pk) for pk in tickets.filter(pk__in=map(_ticket_of, levels)).values_list("pk", flat=True)}
    over = [key for key in levels if key not in live]
    for key in over:
        for name in levels[key]:
            _say(key, name, {"is_reached": False})
    return len(over)


def _say(key: str, name: str, said: dict[str, bool]) -> bool:
    try:
        with transaction.atomic():
            Run.by_key(NAME, key).signal(name, said)
    except (SignalRefused, WorkflowNotFound):
        return False
    return True


def _reached(level: int) -> str:
    return f"level {level} reached"


def _key(ticket_id: int) -> str:
    return f"ticket:{ticket_id}"


def _ticket_of(key: str) -> int:
    return int(key.removeprefix("ticket:"))
