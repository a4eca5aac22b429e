"""LISTOFTICKETS: what went wrong, and how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Case, DurationField, F, Q, QuerySet, When
from django.db.models.functions import Coalesce

from task_catalog import entities
from task_catalog.reporting.registry import Chart, Column, Filters, Kind, register_report

from .parts import assignee, name_of

if TYPE_CHECKING:
    from task_catalog.facility.models import Ticket

_COLUMN_OF = {"people": "assignedtopeople_id", "ticketcategory": "ticketcategory_id"}


def list_of_tickets(filters: Filters) -> QuerySet[Ticket, Any]:
    """A row a ticket made in the period, by its number and not by the row's id (D49).

    TAT (turn-around time) is hours and minutes from creation to the last change, of tickets that were solved.
    """
    changed = Coalesce("modifieddatetime", "mdtz")
    return (
        entities.Ticket.objects.filter(
            client_id=filters.client_id,
            bu_id__in=filters.sites,
            cdtz__gte=filters.start,
            cdtz__lt=filters.end,
            **{_COLUMN_OF[name]: value for name, value in filters.ids.items()},
        )
        .exclude(pk=entities.none_id())
        .annotate(
            changed=changed,
            took=Case(
                When(Q(status__in=["RESOLVED", "CLOSED"]), then=changed - F("cdtz")), output_field=DurationField()
            ),
            category=name_of("ticketcategory", "taname"),
            assigned=assignee("assignedtopeople", "assignedtogroup"),
            creator=name_of("cuser", "peoplename"),
        )
        .order_by("cdtz", "pk")
        .values_list(
            "ticketno", "cdtz", "changed", "status", "ticketdesc", "priority", "category", "took", "assigned", "creator"
        )
    )  # fmt: skip


register_report(
    "LISTOFTICKETS",
    ["site", "fromdate*", "uptodate*", "people", "ticketcategory"],
    [
        Column("Ticket No"),
        Column("Created On", Kind.INSTANT),
        Column("Modified On", Kind.INSTANT),
        Column("Status"),
        Column("Description"),
        Column("Priority"),
        Column("Ticket Category"),
        Column("TAT"),
        Column("Assigned To"),
        Column("Created By"),
    ],
    list_of_tickets,
    title="List of Tickets",
    chart=Chart("Tickets by status", "Status"),
)
