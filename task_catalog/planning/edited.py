"""Takes back what was planned before a plan was edited, as far as nobody has begun it (R-SCH 10)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q

from task_catalog import entities
from task_catalog.planning import keys
from task_catalog.planning.material import roots_of
from youtility_tasks import effects

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed


def delete_untouched(client_id: int, plan_id: int, *, now: datetime) -> set[datetime]:
    """Delete the plan's future occurrences that nobody has touched; the plan times that are free again.

    In the caller's transaction, together with their keys. Stops, questions and reminders go first, because the
    database refuses to delete an occurrence that still has some (D4). An occurrence is touched when it, or one of its
    stops, has begun, has an answer, an attachment or a ticket.
    """
    roots = {
        root.pk: root
        for root in roots_of(client_id, [plan_id])
        .filter(_untouched(), plandatetime__gt=now)
        .select_for_update(of=("self",))
        .order_by("pk")
    }
    stops = list(
        entities.Occurrence.objects.filter(client_id=client_id, parent_id__in=roots)
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    for touched in _touched(roots, stops):
        roots.pop(touched, None)
    _delete(client_id, plan_id, roots, [stop for stop in stops if stop.parent_id in roots])
    return {root.plandatetime for root in roots.values() if root.plandatetime is not None}


def _untouched() -> Q:
    return Q(entities.points_nowhere("ticket"), jobstatus="ASSIGNED", starttime__isnull=True, attachmentcount=0)


def _touched(roots: dict[int, Jobneed], stops: Collection[Jobneed]) -> set[int]:
    """The roots on which somebody has worked, be it at one stop only."""
    root_of = {**{pk: pk for pk in roots}, **{stop.pk: stop.parent_id or 0 for stop in stops}}
    begun_stops = entities.Occurrence.objects.filter(pk__in=[stop.pk for stop in stops]).exclude(_untouched())
    touched = {root_of[pk] for pk in begun_stops.values_list("pk", flat=True)}
    details = entities.Detail.objects.filter(jobneed_id__in=root_of)
    # A tour's placeholder is answered from the beginning, with the word NONE.
    answered = Q(answer__isnull=False) & ~entities.points_nowhere("question")
    worked_on = details.filter(answered | Q(attachmentcount__gt=0)).values_list("jobneed_id", flat=True)
    touched |= {root_of[pk or 0] for pk in worked_on}
    owners = {str(row.uuid): root_of[row.pk] for row in (*roots.values(), *stops)}
    owners |= {str(uuid): root_of[pk or 0] for uuid, pk in details.values_list("uuid", "jobneed_id")}
    attached = entities.Attachment.objects.filter(owner__in=owners).values_list("owner", flat=True)
    return touched | {owners[owner] for owner in attached}


def _delete(client_id: int, plan_id: int, roots: dict[int, Jobneed], stops: Collection[Jobneed]) -> None:
    if not roots:
        return
    reminders = entities.Reminder.objects.filter(jobneed_id__in=roots)
    forgotten = [
        keys.of_reminder(occurrence_id or 0, unit, value)
        for occurrence_id, unit, value in reminders.values_list("jobneed_id", "reminderin", "reminderbefore")
    ]
    forgotten += [keys.of_stop(stop.parent_id or 0, stop.seqno) for stop in stops]
    forgotten += [keys.of_root(plan_id, root.plandatetime) for root in roots.values() if root.plandatetime is not None]
    stop_ids = [stop.pk for stop in stops]
    reminders.delete()
    entities.Detail.objects.filter(jobneed_id__in=[*roots, *stop_ids]).delete()
    entities.Occurrence.objects.filter(client_id=client_id, pk__in=stop_ids).delete()
    entities.Occurrence.objects.filter(client_id=client_id, pk__in=list(roots)).delete()
    effects.forget(forgotten)
