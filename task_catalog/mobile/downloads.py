"""What devices may read: a few lists of their own client's rows, changed since a moment, with named columns and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet

from task_catalog import entities
from task_catalog.mobile.context import Context
from task_catalog.mobile.tables import HAVE_NONE
from task_catalog.rules.records import Flaw, instant_of
from youtility_tasks import BadInput

MOST_ROWS = 20_000

LISTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "people": (
            "Person",
            "client_id",
            "id uuid peoplecode peoplename loginid isadmin enable client_id bu_id designation_id",
        ),
        "assets": (
            "Asset",
            "client_id",
            "id assetcode assetname identifier runningstatus enable iscritical client_id bu_id type_id location_id",
        ),
        "visits": (
            "Occurrence",
            "client_id",
            "id uuid jobdesc plandatetime expirydatetime gracetime asset_id job_id qset_id people_id pgroup_id priority scantype "
            "identifier jobtype jobstatus parent_id seqno client_id bu_id starttime endtime performedby_id ctzoffset",
        ),
        "answers": (
            "Detail",
            "jobneed__client_id",
            "id uuid jobneed_id seqno question_id answertype answer min max alerton options isavpt avpttype ismandatory qset_id",
        ),
        "tickets": (
            "Ticket",
            "client_id",
            "id uuid ticketno ticketdesc status priority level assignedtopeople_id assignedtogroup_id ticketcategory_id bu_id "
            "client_id modifieddatetime",
        ),
    }
)
"""List -> entity, the column that says whose a row is, and the columns that are told."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query answers: `records` is the JSON text of a list of objects."""

    nrows: int
    ncols: int
    msg: str
    records: str


def select(
    context: Context,
    name: str,
    *,
    since: str | None = None,
    site_id: int | None = None,
    people_id: int | None = None,
    visit_ids: Sequence[int] | None = None,
) -> Selection:
    """The rows of one list, oldest id first. Raises BadInput for a moment that is none and for somebody else's site."""
    entity, owner, columns = LISTS[name]
    rows: QuerySet[Any] = getattr(entities, entity)._default_manager.filter(**{owner: context.client_id})
    if entity in HAVE_NONE:
        rows = rows.exclude(pk=entities.none_id())
    if site_id is not None:
        if site_id not in context.mine.site_ids:
            raise BadInput(f"buid {site_id} is no site of this client.")
        rows = rows.filter(**{"jobneed__bu_id" if name == "answers" else "bu_id": site_id})
    if people_id is not None and name == "visits":
        groups = entities.GroupMember.objects.filter(pgroup__client_id=context.client_id, people_id=people_id)
        of_groups = groups.exclude(entities.points_nowhere("pgroup")).values("pgroup_id")
        rows = rows.filter(Q(people_id=people_id) | Q(pgroup_id__in=of_groups))
    if visit_ids is not None and name == "answers":
        rows = rows.filter(jobneed_id__in=list(visit_ids))
    if since is not None:
        rows = rows.filter(mdtz__gte=_moment(since))
    names = columns.split()
    found = list(rows.order_by("pk").values(*names)[: MOST_ROWS + 1])
    if len(found) > MOST_ROWS:
        raise BadInput(f"The answer has more than {MOST_ROWS} rows. Name a later moment (mdtz) or a site (buid).")
    return Selection(len(found), len(names), f"{len(found)} rows", json.dumps(found, cls=DjangoJSONEncoder))


def _moment(text: str) -> datetime:
    try:
        return instant_of(text)
    except Flaw as flaw:
        raise BadInput(f"mdtz: {flaw}.") from flaw
