"""What people report of their visits: planned ones are found by uuid and changed, others are made, with their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from task_catalog import entities
from task_catalog.email.alerts import alert_sendmail
from task_catalog.flows import planned_maintenance
from task_catalog.mobile import dynamic_tours
from task_catalog.mobile.answers import Answers
from task_catalog.mobile.context import Context, Output
from task_catalog.mobile.reading import Rejected, Row, read_all, refuse
from task_catalog.mobile.storing import as_column, upsert
from task_catalog.mobile.tables import REPORTED, TABLES
from task_catalog.rules import progress
from task_catalog.rules.recipients import is_true
from youtility_tasks import BadInput, enqueue_many

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed

TABLE = TABLES["jobneed"]
_SERVERS_OWN = frozenset({"autoclosed_by_server", "email_sent", "ticket_generated", "isdynamic", "tour_frequency"})
"""Parts of `other_info` that a device reads and does not write."""


@dataclass(slots=True)
class _Done:
    """What one message did: ids of its visits, and those that came to their end with it."""

    ids: dict[UUID, int] = field(default_factory=dict)
    completed: list[Jobneed] = field(default_factory=list)
    late: set[UUID] = field(default_factory=set)


def store(
    context: Context, records: Sequence[Any], *, may_insert: bool, defaults: Mapping[str, Any] | None = None
) -> list[UUID]:
    """Store visits with their `details`, all or none, and enqueue what follows from those that are done now.

    `may_insert` False: each must have been planned. `defaults` are columns of new ones; columns of the records themselves
    are not overruled. The number of statements does not grow with the visits and answers. Raises BadInput.
    """
    rows = read_all(TABLE, records, context.mine)
    refuse(TABLE, [flaw for row in rows if (flaw := _flaw(row)) is not None])
    answers = Answers.of(context, rows)
    for row in rows:
        if row.key in answers.in_alert:
            row.values["alerts"] = True
    # Locked in the order of their ids, so that two messages about the same tour cannot wait for each other.
    found = context.mine.rows(TABLE).filter(uuid__in=[row.key for row in rows])
    known = {visit.uuid: visit for visit in found.select_for_update(of=("self",)).order_by("pk")}
    new = [row for row in rows if row.key not in known]
    if not may_insert:
        refuse(TABLE, [Rejected(row.index, "there is no visit with this uuid") for row in new])
    done = _Done(ids={uuid: visit.pk for uuid, visit in known.items()})
    _change(context, [(row, known[row.key]) for row in rows if row.key in known], done)
    _insert(context, new, done, defaults or {})
    answers.store(context, done.ids, without=done.late)
    _follow(context, done.completed)
    return [row.key for row in rows]


def ids_of(context: Context, keys: Sequence[UUID]) -> dict[str, int]:
    """The ids of the client's visits by their uuid as text."""
    found = context.mine.rows(TABLE).filter(uuid__in=list(keys)).values_list("uuid", "pk")
    return {str(uuid): pk for uuid, pk in found}


def update_tours(context: Context, records: Sequence[Any]) -> Output:
    """updateTaskTour: what was done at planned visits. Raises BadInput."""
    return Output.of("visits updated", store(context, listed(records), may_insert=False))


def report_ad_hoc(context: Context, records: Sequence[Any]) -> Output:
    """adhocRecord: visits that nobody had planned. Raises BadInput."""
    return Output.of("visits stored", store(context, listed(records), may_insert=True))


def listed(records: object) -> list[Any]:
    """The records of a mutation. Raises BadInput unless they are a list with at least one."""
    if isinstance(records, list) and records:
        return records
    raise BadInput(f"records are {records!r:.60}; right is a list with at least one record.")


def _flaw(row: Row) -> Rejected | None:
    status = row.values.get("jobstatus")
    if status is not None and status not in progress.REPORTED:
        return Rejected(row.index, f"jobstatus: {status!r:.60} is none; right is one of {', '.join(progress.REPORTED)}")
    return None


def _change(context: Context, pairs: Sequence[tuple[Row, Jobneed]], done: _Done) -> None:
    columns = {each.name: each for each in TABLE.model._meta.concrete_fields}
    names = {"mdtz", "receivedonserver", "other_info"}
    changed = []
    for row, visit in pairs:
        reported = row.values.get("jobstatus") or visit.jobstatus
        if progress.is_step_back(visit.jobstatus, reported):
            context.warnings.append(f"visit {visit.uuid}: it is {visit.jobstatus}; {reported} came too late")
            done.late.add(visit.uuid)
            continue
        if progress.completes(visit.jobstatus, reported):
            done.completed.append(visit)
        had_alerts = visit.alerts
        values = {name: value for name, value in row.values.items() if name in REPORTED}
        values.setdefault("mdtz", context.moment)
        values["receivedonserver"] = context.moment
        for name, value in values.items():
            setattr(visit, columns[name].attname, as_column(columns[name], value))
            names.add(name)
        visit.alerts = visit.alerts or had_alerts  # an answer that was out of range once stays told
        visit.other_info = _merged(visit.other_info, row.values.get("other_info"))
        changed.append(visit)
    if changed:
        entities.Occurrence.objects.bulk_update(changed, sorted(names | {"alerts"}))


def _merged(stored: Any, reported: Any) -> Any:
    if not isinstance(reported, dict):
        return stored
    kept = stored if isinstance(stored, dict) else {}
    return {**kept, **{name: value for name, value in reported.items() if name not in _SERVERS_OWN}}


def _insert(context: Context, rows: Sequence[Row], done: _Done, defaults: Mapping[str, Any]) -> None:
    """Make visits that nobody planned. A uuid that another client has is refused, and not told apart from a late report."""
    if not rows:
        return
    without_site = [row for row in rows if entities.is_none(row.values.get("bu"))]
    refuse(TABLE, [Rejected(row.index, "it names no site; right is a bu_id") for row in without_site])
    for row in rows:
        row.values["receivedonserver"] = context.moment
        row.values["other_info"] = _merged({}, row.values.get("other_info"))
    stored = upsert(TABLE, rows, context.mine, now=context.now, defaults={"jobtype": "ADHOC", **defaults})
    known = stored.ids
    refuse(
        TABLE,
        [Rejected(row.index, "its uuid cannot be used; draw another one") for row in rows if row.key not in known],
    )
    done.ids.update(known)
    finished = [stored.ids[row.key] for row in rows if progress.completes(None, row.values.get("jobstatus", ""))]
    if finished:
        done.completed += list(entities.Occurrence.objects.filter(pk__in=finished).order_by("pk"))


def _follow(context: Context, completed: Sequence[Jobneed]) -> None:
    """Enqueue the alert mails of what is done, and make the next occurrence of tours that have no schedule.

    A tour is told of as a whole when it is done; a stop that is done before its tour is told of at once if an answer is
    in alert, because nobody knows whether the tour will ever end.
    """
    roots = [visit for visit in completed if entities.is_none(visit.parent_id)]
    ended = {visit.pk for visit in roots}
    stops = [visit for visit in completed if not entities.is_none(visit.parent_id) and visit.parent_id not in ended]
    told = [*roots, *(stop for stop in stops if stop.alerts)]
    planned_maintenance.done(visit.pk for visit in told if planned_maintenance.is_of(visit))
    calls: list[dict[str, Any]] = [
        {"id": visit.pk, "event": "observation", "atts": True} for visit in told if not planned_maintenance.is_of(visit)
    ]
    calls += [{"id": visit.pk, "event": "deviation"} for visit in roots if deviates(visit)]
    if calls:
        enqueue_many(alert_sendmail, calls)
    dynamic_tours.go_on(context, [visit for visit in roots if is_true((visit.other_info or {}).get("isdynamic"))])


def deviates(visit: Jobneed) -> bool:
    """Whether the way of a visit was not kept, be it the column or `other_info` that says so."""
    info = visit.other_info if isinstance(visit.other_info, dict) else {}
    return bool(visit.deviation) or is_true(info.get("deviation"))
