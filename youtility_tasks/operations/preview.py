"""What an operation would do if it began now."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count

from youtility_tasks import listing, membership
from youtility_tasks.listing import JobFilter, JobLine
from youtility_tasks.models import Job, Tenant
from youtility_tasks.models.jobs import JobQuerySet
from youtility_tasks.status import JobStatus
from youtility_tasks.tenants import current_tenant

from . import choosing
from .kinds import KINDS, LEFT_ALONE, Act, Kind, kind_of

COUNTED_UP_TO = 100_000
_SAMPLE, _MOST_TASKS = 10, 20
_INACTIVE = "their tenant is not active: `tenants add ID NAME` brings it back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How many jobs an act is for, and which; it promises nothing, since jobs move on."""

    act: Act
    count: int
    is_capped: bool
    """There may be more: it counts up to COUNTED_UP_TO, and looks inside the newest `listing.LOOKED_AT` only."""
    by_task: Mapping[str, int]
    """The tasks with the most of them."""
    sample: Sequence[JobLine]
    """The newest of them."""
    left_alone: Mapping[str, int]
    """Jobs that the filter means and the act is not for: why -> how many, up to COUNTED_UP_TO each."""
    is_undone: bool
    """Whether it can be undone, for as long as `operation_undo_s` says."""


def preview(act: Act | str, wanted: JobFilter | None = None) -> Preview:
    """What `begin` would act on now. Writes nothing. Raises Refused and NotAllowed as `begin` does."""
    named, kind = kind_of(act)
    membership.allow(kind.needs, current_tenant())
    asked = wanted or JobFilter()
    mine = choosing.checked(named, kind, asked)
    every = choosing.of_status(mine, kind)
    left_alone = _left_alone(kind, asked)
    if kind is KINDS[Act.RETRY] and current_tenant() is None:
        inactive = list(Tenant.objects.filter(is_active=False).values_list("pk", flat=True))
        if inactive and (n := narrowed(every.filter(tenant_id__in=inactive), mine)[:COUNTED_UP_TO].count()):
            left_alone[_INACTIVE] = n
            every = every.exclude(tenant_id__in=inactive)
    found = narrowed(every, mine)
    by_task: Counter[str] = Counter()
    some = Job.objects.filter(pk__in=found.order_by("-pk").values("pk")[:COUNTED_UP_TO])
    for task_name, n in some.values_list("task_name").annotate(Count("pk")):
        by_task[task_name] = n
    count = by_task.total()
    return Preview(
        act=named,
        count=count,
        is_capped=count >= COUNTED_UP_TO or (mine.looks_inside and listing.live(mine)[: listing.LOOKED_AT + 1].count() > listing.LOOKED_AT),
        by_task=dict(by_task.most_common(_MOST_TASKS)),
        sample=listing.lines(found, limit=_SAMPLE),
        left_alone=left_alone,
        is_undone=kind.is_undone,
    )  # fmt: skip


def narrowed(found: JobQuerySet, mine: JobFilter) -> JobQuerySet:
    """Of these those whose errors and arguments are as asked for, as far as a list looks."""
    return listing.looking_inside(listing.newest(found, "pk"), mine) if mine.looks_inside else found


def _left_alone(kind: Kind, asked: JobFilter) -> dict[str, int]:
    """Of those in the queue: what has ended nobody would act on."""
    others = {JobStatus.TODO, JobStatus.DOING, JobStatus.FAILED} - {kind.status}
    if asked.statuses:
        others &= {JobStatus(each) for each in asked.statuses}
    told = {}
    for status in sorted(others):
        theirs = dataclasses.replace(asked, statuses=(status,), tenant_id=current_tenant())
        n = narrowed(listing.live(theirs), theirs)[:COUNTED_UP_TO].count()
        if n:
            told[LEFT_ALONE[status]] = n
    if kind is KINDS[Act.RUN_NOW]:
        mine = dataclasses.replace(asked, statuses=(kind.status,), tenant_id=current_tenant())
        due = narrowed(listing.live(mine).exclude(pk__in=listing.live(mine).due_later()), mine)[:COUNTED_UP_TO].count()
        if due:
            told["they are due already"] = due
    return told
