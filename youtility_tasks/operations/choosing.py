"""Which jobs an operation means: its filter as it is stored, and read again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from youtility_tasks import listing
from youtility_tasks.errors import Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.models.jobs import JobQuerySet
from youtility_tasks.status import JobStatus
from youtility_tasks.tenants import current_tenant

from .kinds import LEFT_ALONE, Act, Kind

_INSTANTS = ("since", "until", "failed_since", "failed_until")
_EMPTY = JobFilter()


def checked(act: Act, kind: Kind, wanted: JobFilter) -> JobFilter:
    """The filter for the current tenant (outside of one: for all) and for jobs that the act is for. Raises Refused."""
    theirs = current_tenant()
    if wanted.tenant_id not in (None, theirs):
        raise Refused(
            f"The filter names tenant {wanted.tenant_id}, and this is done for {f'tenant {theirs}' if theirs else 'all tenants'}: "
            f"wrap it in `with tenant({wanted.tenant_id}):`."
        )
    statuses = [JobStatus(each) for each in wanted.statuses]
    if statuses and kind.status not in statuses:
        raise Refused(
            f"{act.value!r} is for jobs that are {kind.status}, and the filter has only {', '.join(statuses)}: "
            f"{LEFT_ALONE[statuses[0]]}."
        )
    if wanted.before_id is not None:
        raise Refused("`before_id` belongs to pages of a list; an operation takes all jobs up to the newest.")
    return dataclasses.replace(wanted, tenant_id=theirs, statuses=(kind.status,))


def stored(wanted: JobFilter) -> dict[str, Any]:
    """A filter as JSON: what it asks for, and nothing else. Its tenant and status are the operation's."""
    said: dict[str, Any] = {}
    for each in dataclasses.fields(JobFilter):
        value = getattr(wanted, each.name)
        if each.name in {"tenant_id", "statuses", "before_id"} or value == getattr(_EMPTY, each.name):
            continue
        said[each.name] = (
            value.isoformat() if isinstance(value, datetime) else list(value) if each.name == "task_names" else value
        )
    return said  # fmt: skip


def read(said: Mapping[str, Any], *, tenant_id: int | None = None, statuses: tuple[JobStatus, ...] = ()) -> JobFilter:
    """The filter that was stored. Raises Refused for words that no filter has: another release may have stored them."""
    known = {each.name for each in dataclasses.fields(JobFilter)}
    if strange := sorted(set(said) - known):
        raise Refused(f"No filter of jobs has {', '.join(strange)}; known: {', '.join(sorted(known))}.")
    values: dict[str, Any] = {
        name: datetime.fromisoformat(value) if name in _INSTANTS else value for name, value in said.items()
    }
    return JobFilter(**values, tenant_id=tenant_id, statuses=statuses)


def of_status(wanted: JobFilter, kind: Kind) -> JobQuerySet:
    """The jobs that the act is for now; what `listing.looking_inside` asks is left out."""
    found = listing.live(wanted)
    return found.due_later() if kind.needs == "run now" else found
