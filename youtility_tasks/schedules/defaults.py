"""The schedules that code declares: made by set-up, followed when the code changes, and never against an operator's edit.

Declared are: `schedule="..."` of a task (a sweep's for all, another's for each active tenant), YOUTILITY_TASKS["schedules"], and
procrastinate's `@app.periodic`. What set-up made of a declaration stands in the row (`declared`): a row that says something
else was edited, and stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from youtility_tasks import audit, registry, tenants
from youtility_tasks.conf import settings
from youtility_tasks.errors import NeverFires, UnknownTenant, WrongSchedule, YoutilityTaskError
from youtility_tasks.models import ScheduledTask, Tenant

from . import definition, editing
from .declaring import Declared, sources
from .firing import tenant_of

_ACTOR = "setup_task_queue"


@dataclass(slots=True)
class Agreed:
    """What set-up did, or would do."""

    made: list[str] = field(default_factory=list)
    followed: list[str] = field(default_factory=list)
    """Their declaration has changed, and nobody had edited them."""
    left: list[str] = field(default_factory=list)
    """Edited or removed by somebody: as they are, although the declaration says something else."""
    refused: list[str] = field(default_factory=list)
    """Declared wrongly, each with its error."""
    orphans: list[str] = field(default_factory=list)
    """Made from a declaration that is gone."""

    @property
    def differences(self) -> list[str]:
        """What is not as declared, for people."""
        return [
            *(f"{each} is declared and not made" for each in self.made),
            *(f"{each} is declared otherwise by now" for each in self.followed),
            *(f"{each} was edited, and is not as declared" for each in self.left),
            *(f"{each} was declared once and is no more" for each in self.orphans),
            *self.refused,
        ]


def declared() -> list[Declared]:
    """Every schedule that code declares, by tenant and name; what settings say of a name goes before a task's own."""
    found: dict[tuple[int, str], Declared] = {}
    active = _active_tenants()
    for task in registry.registered().values():
        if task.schedule is not None and task.is_built:
            for tenant_id in [0] if task.tenant == "all" else active:
                own = {"task": task.name, "cron": task.schedule, "zone": "UTC"}
                found[tenant_id, task.name] = Declared(
                    tenant_id, task.name, own, f"task {task.name!r}", formerly=tuple(task.aliases)
                )
    for source in sources:
        for each in source():
            found.setdefault((each.tenant_id, each.name), each)
    for name, said in (settings().schedules or {}).items():
        if said is None:
            for key in [key for key in found if key[1] == name]:
                del found[key]
            continue
        for tenant_id in _tenants_of(said, active):
            kept = {key: value for key, value in said.items() if key != "tenant"}
            found[tenant_id, name] = Declared(tenant_id, name, kept, "YOUTILITY_TASKS['schedules']")
    return [found[key] for key in sorted(found)]


def agree(*, dry_run: bool = False) -> Agreed:
    """Make what is declared and not there, and let follow what nobody has edited; run again, it changes nothing.

    One that is declared wrongly is told, and keeps no other from being made.
    """
    done = Agreed()
    wanted = declared()
    known = {(each.tenant_id, each.name) for each in wanted}
    for each in wanted:
        with tenant_of(each.tenant_id), audit.acting(_ACTOR):
            try:
                _take_along(each, known, done, dry_run=dry_run)
                _agree_on(each, done, dry_run=dry_run)
            except (YoutilityTaskError, UnknownTenant) as error:
                done.refused.append(f"{each.whose}, declared by {each.where}: {error}")
    for tenant_id in [0, *_active_tenants()]:
        with tenant_of(tenant_id):
            rows = ScheduledTask.objects.using(settings().database).there().for_tenant(tenant_id)
            made_once = rows.filter(declared__isnull=False).values_list("name", flat=True)
            done.orphans += [
                name if not tenant_id else f"{name} (tenant {tenant_id})"
                for name in made_once
                if (tenant_id, name) not in known
            ]
    return done


def _take_along(each: Declared, known: set[tuple[int, str]], done: Agreed, *, dry_run: bool) -> None:
    """A schedule under a name that its task had goes on under the new one: beside another it would fire twice."""
    rows = ScheduledTask.objects.using(settings().database).there().for_tenant(each.tenant_id)
    old = [name for name in each.formerly if (each.tenant_id, name) not in known]
    made = rows.filter(name__in=old, declared__isnull=False).values_list("name", flat=True)
    if (
        dry_run
        or not made
        or ScheduledTask.objects.using(settings().database).filter(tenant_id=each.tenant_id, name=each.name).exists()
    ):
        return
    editing.rename(made[0], each.name, str(each.said["task"]), reason=f"its task, {made[0]!r}, is called so by now")
    done.followed.append(each.whose)


def _agree_on(each: Declared, done: Agreed, *, dry_run: bool) -> None:
    if each.flaw:
        raise WrongSchedule(each.flaw)
    rows = ScheduledTask.objects.using(settings().database)
    row = rows.filter(tenant_id=each.tenant_id, name=each.name).first()
    try:
        wanted = _document(each, row)
    except NeverFires:
        if row is not None and row.at is not None and row.at == each.said.get("at"):
            return  # once, and that is past
        raise
    if row is None:
        done.made.append(each.whose)
        if not dry_run:
            made = editing.make(each.name, dict(each.said), reason=f"declared by {each.where}", declared=wanted)
            _remember(made)
        return
    if row.removed_at is None and definition.as_document(row) == wanted:
        return
    if row.removed_at is not None or row.declared is None or definition.as_document(row) != row.declared:
        # Removed, made by hand under this name, or edited: an operator's, who may have had his reasons.
        done.left.append(each.whose)
        return
    if each.whose not in done.followed:
        done.followed.append(each.whose)
    if not dry_run:
        changed = editing.amend(each.name, _all_of(each), reason=f"declared otherwise by {each.where}", declared=wanted)
        _remember(changed)


def _remember(row: ScheduledTask) -> None:
    """As the row has it by now: checked arguments, and the instant from which an interval counts."""
    ScheduledTask.objects.using(settings().database).filter(pk=row.pk, tenant_id=row.tenant_id).update(
        declared=definition.as_document(row)
    )


def _document(each: Declared, row: ScheduledTask | None) -> dict[str, Any]:
    """What the declaration comes to."""
    with editing.acting() as (_, now):
        since = row.at if row is not None and row.at is not None else now.replace(microsecond=0)
        fresh = ScheduledTask(tenant_id=each.tenant_id, name=each.name, at=since)
        definition.apply(fresh, each.said)
        definition.check(fresh, now)
    return definition.as_document(fresh)


def _all_of(each: Declared) -> dict[str, Any]:
    """What is declared, and for the rest what a new schedule has: a word that is gone from the declaration goes."""
    fresh = ScheduledTask()
    rest: dict[str, Any] = {
        "args": {}, "tick_argument": "", "queue": "", "priority": None, "zone": "", "days": fresh.days,
        "working_weekdays": fresh.working_weekdays, "site_id": None, "quiet": None, "jitter_s": fresh.jitter_s,
        "missed": fresh.missed, "missed_most": fresh.missed_most, "grace_s": fresh.grace_s, "overlap": fresh.overlap,
        "until": None, "expire_s": None,
    }  # fmt: skip
    return {**rest, **each.said}


def _active_tenants() -> list[int]:
    with tenants.no_tenant():
        return list(Tenant.objects.using(settings().database).active().order_by("pk").values_list("pk", flat=True))


def _tenants_of(said: Mapping[str, Any], active: list[int]) -> list[int]:
    """`tenant`: an id, "each" for every active one; without it the task decides."""
    given = said.get("tenant")
    if given == "each":
        return active
    if given is not None:
        return [given] if isinstance(given, int) and not isinstance(given, bool) and given >= 0 else [0]
    task = registry.resolve(str(said.get("task")))
    return active if task is not None and task.tenant == "one" else [0]
