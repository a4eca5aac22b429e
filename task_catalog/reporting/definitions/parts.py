"""What several reports ask for in the same words."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, DecimalField, F, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf, Round, TruncDate

from task_catalog import entities
from task_catalog.reporting.registry import Filters

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

_EXACT: DecimalField[Any, Any] = DecimalField(max_digits=14, decimal_places=2)
SITE_PERIOD = ("site*", "fromdate*", "uptodate*")
SITE_INSTANTS = ("site*", "fromdatetime*", "uptodatetime*")


def planned_roots(filters: Filters, *identifiers: str) -> QuerySet[Jobneed]:
    """The planned visits of these kinds, never their checkpoints (D49): a tour is one row."""
    return (
        entities.Occurrence.objects.filter(
            entities.points_nowhere("parent"),
            client_id=filters.client_id,
            bu_id__in=filters.sites,
            identifier__in=identifiers,
            plandatetime__gte=filters.start,
            plandatetime__lt=filters.end,
            **{f"{name}_id": value for name, value in filters.ids.items() if name in ("asset", "qset", "people")},
        )
        .exclude(pk=entities.none_id())
        .order_by()
    )


def local_day(column: str, filters: Filters) -> TruncDate:
    """The day of an instant by the wall clock of the report: a fixed offset, 0 included (D31)."""
    return TruncDate(column, tzinfo=timezone(timedelta(minutes=filters.offset)))


def name_of(reference: str, column: str) -> Case:
    """The name behind a foreign key, "" where it points nowhere."""
    return Case(
        When(entities.points_nowhere(reference), then=Value("")),
        default=Coalesce(F(f"{reference}__{column}"), Value("")),
        output_field=CharField(),
    )


def assignee(people: str, group: str) -> Case:
    """The person who shall do it, else the group."""
    return Case(
        When(~entities.points_nowhere(people), then=F(f"{people}__peoplename")),
        When(~entities.points_nowhere(group), then=F(f"{group}__groupname")),
        default=Value(""),
        output_field=CharField(),
    )


def percentage(part: str, whole: str) -> Coalesce:
    """One count of the same row in percent of another, two decimals; 0 of nothing."""
    share = (
        Cast(part, _EXACT)
        * Value(100, output_field=_EXACT)
        / NullIf(Cast(whole, _EXACT), Value(0), output_field=_EXACT)
    )
    return Coalesce(Round(share, precision=2), Value(0), output_field=_EXACT)
