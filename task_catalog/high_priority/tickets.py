"""ticket_escalation (T21): tickets that nobody solved in time climb to the next level."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import (
    BigIntegerField,
    Case,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Extract

from task_catalog import entities
from task_catalog.arguments import task
from task_catalog.email.tickets import send_ticket_email
from task_catalog.escalation import Matrix
from task_catalog.flows import planned_maintenance
from task_catalog.ports import clock
from task_catalog.rules import tickets as rules
from task_catalog.sweeps import MOST_IDS, PAGE, Sweep, shortened
from task_catalog.tickets import SYSTEM, assignee_of, state_of
from youtility_tasks import Retry, TaskContext, effects, queues, tenant, tenants_in_scope

if TYPE_CHECKING:
    from task_catalog.facility.models import Ticket


@task(
    name="ticket_escalation",
    queue_name=queues.HIGH_PRIORITY,
    priority=2,
    retry=Retry(5, base=60, factor=2, cap=600),
    timeout_s=300,
    lock="ticket_escalation",
    queueing_lock="ticket_escalation",
    tenant="all",
    takes_context=True,
    schedule="5,35 * * * *",
    seed_class="sla",
)
def ticket_escalation(context: TaskContext) -> dict[str, Any]:
    """Lift every live ticket whose next level has fallen due by one level, and have the mail sent about it.

    Second attempt: a lifted ticket is due again only for the level above, and `escalate:{ticket_id}:{to_level}` is
    done once.
    """
    sweep = Sweep(context)
    now = clock.now()
    due = 0
    by_level: Counter[int] = Counter()
    ids: list[int] = []
    bad_rows: list[int] = []
    for client_id in tenants_in_scope():
        with tenant(client_id):
            matrix = Matrix(client_id)
            for row_id, flaw in matrix.flaws():
                bad_rows.append(row_id)
                sweep.warnings.append(flaw)
            for ticket_id in sweep.rows(partial(_page, client_id, now)):
                due += 1
                with sweep.one(ticket_id):
                    reached = _lift(ticket_id, client_id, matrix, now)
                    if reached is not None:
                        by_level[reached] += 1
                        ids.append(ticket_id)
            if not sweep.stopped:
                planned_maintenance.let_go(client_id)
        if sweep.stopped:
            break
    sweep.raise_failures()
    if sweep.to_be_continued:
        ticket_escalation.enqueue()
    return {
        "status": sweep.status(),
        "warnings": shortened(sweep.warnings),
        "due": due,
        "escalated": len(ids),
        "by_level": {str(level): count for level, count in sorted(by_level.items())},
        "ids": ids[:MOST_IDS],
        "bad_rows": bad_rows,
    }


def due_tickets(client_id: int, now: datetime) -> QuerySet[Ticket]:
    """The client's tickets that climb now: `rules.step_for` and `rules.climbs_at` as one query.

    A test holds the query and the rules together.
    """
    whole_client = entities.points_nowhere("bu") | Q(bu_id=OuterRef("client_id"))
    own_site = Q(bu_id=OuterRef("bu_id")) & ~entities.points_nowhere("bu")
    unit = Case(
        *(When(frequency=name, then=Value(minutes)) for name, minutes in rules.MINUTES_IN.items()),
        output_field=BigIntegerField(),
    )
    best_step = (
        entities.EscalationMatrix.objects.filter(
            entities.points_nowhere("job"),
            own_site | whole_client,
            client_id=OuterRef("client_id"),
            escalationtemplate_id=OuterRef("ticketcategory_id"),
            level=OuterRef("level") + 1,
            frequency__in=list(rules.MINUTES_IN),
            frequencyvalue__gte=0,
        )
        .annotate(
            distance=Case(When(own_site, then=Value(0)), default=Value(1)),
            seconds=Cast("frequencyvalue", BigIntegerField()) * unit * 60,
        )
        .order_by("distance", "pk")
    )
    # Ages are compared as numbers: a moment of creation plus 2,147,483,647 weeks would be beyond PostgreSQL's calendar.
    age = ExpressionWrapper(Value(now) - F("cdtz"), output_field=DurationField())
    return (
        entities.Ticket.objects.filter(client_id=client_id, status__in=rules.LIVE)
        .exclude(entities.points_nowhere("ticketcategory"))
        .annotate(age_s=Extract(age, "epoch"), step_s=Subquery(best_step.values("seconds")[:1]))
        .filter(age_s__gt=F("step_s"))
    )


def _page(client_id: int, now: datetime, last: int | None) -> list[int]:
    return list(due_tickets(client_id, now).filter(pk__gt=last or 0).order_by("pk").values_list("pk", flat=True)[:PAGE])


def _lift(ticket_id: int, client_id: int, matrix: Matrix, now: datetime) -> int | None:
    """Lift one ticket by one level in its own transaction; the level reached, or None if it does not climb after all."""
    with transaction.atomic():
        ticket = (
            entities.Ticket.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(pk=ticket_id, client_id=client_id)
            .first()
        )
        if ticket is None:
            return None
        step = matrix.step(ticket, ticket.level + 1)
        moment = rules.climbs_at(ticket.status, ticket.cdtz, step, now=now)
        if step is None or moment is None or not effects.once(f"escalate:{ticket.pk}:{step.level}", bu_id=ticket.bu_id):
            return None
        before = state_of(ticket)
        ticket.assignedtopeople_id, ticket.assignedtogroup_id = rules.assignees_after(
            step, person_id=ticket.assignedtopeople_id, group_id=ticket.assignedtogroup_id, none_id=entities.none_id()
        )
        item = rules.history_item(
            action="escalated",
            at=now.replace(microsecond=0),
            person_id=entities.none_id(),
            who=SYSTEM,
            assigned_to=assignee_of(ticket),
            details=[rules.escalated_text(step.level - 1)],
            previous_state=before,
        )
        entities.Ticket.objects.filter(pk=ticket.pk).update(
            level=step.level,
            isescalated=True,
            assignedtopeople_id=ticket.assignedtopeople_id,
            assignedtogroup_id=ticket.assignedtogroup_id,
            mdtz=moment,
            modifieddatetime=moment,
            ticketlog=rules.with_item(ticket.ticketlog, item),
        )
        if not planned_maintenance.climbed(ticket.pk, step.level):
            send_ticket_email.enqueue(id=ticket.pk, event="escalated", level=step.level)
    return step.level
