"""Writes what was seen: verdict, fence flags, shift, effect key and notice in one transaction, or nothing of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from task_catalog import entities, noc
from task_catalog.maintenance.mqtt import send_mismatch_notification
from task_catalog.offsets import Offsets
from task_catalog.ports import clock, places
from task_catalog.punches.asked import Asked, extras_of, side_of
from task_catalog.punches.look import Look
from task_catalog.rules import faces as rules
from task_catalog.rules.faces import Outcome, Side, Verdict
from task_catalog.rules.local_time import local
from youtility_tasks import current_workflow, effects

if TYPE_CHECKING:
    from task_catalog.facility.models import Attachment, PeopleEventlog


def effect_key(asked: Asked, side: Side, photo: Attachment | None) -> str:
    return f"face:{asked.pel_uuid}:{side}:{'none' if photo is None else photo.uuid}"


def note(asked: Asked, event: PeopleEventlog, side: Side, photo: Attachment | None, look: Look) -> dict[str, Any]:
    """Write the verdict, the fence flags and the shift in one transaction with the effect key and the notice."""
    with contextlib.ExitStack() as stack:
        for alias in dict.fromkeys((asked.db, "default")):
            stack.enter_context(transaction.atomic(using=alias))
        row = (
            entities.Attendance.objects.using(asked.db)
            .select_for_update(of=("self",))
            .filter(pk=event.pk, client_id=asked.client_id)
            .first()
        )
        if row is None or side_of(row) != side:
            return result_of(None, None, "duplicate", ["somebody else has noted a verdict meanwhile"])
        effects.once(effect_key(asked, side, photo), bu_id=row.bu_id)
        extras = rules.extras_after(
            extras_of(row), side, look.verdict, threshold=look.threshold, model=look.model, metric=look.metric
        )
        in_fence = _fence_flags(asked, row)
        row.peventlogextras = {**extras, **in_fence}
        setattr(row, f"facerecognition{side}", look.verdict.is_verified)
        if side == "in":
            row.shift_id = _shift(asked, row, look.warnings)
        row.mdtz = clock.now().replace(microsecond=0)
        changed = ("peventlogextras", f"facerecognition{side}", "shift_id", "mdtz")
        # Not save(): an adopter's PeopleEventlog.save() and its signals may do more.
        entities.Attendance.objects.using(asked.db).filter(pk=row.pk).update(
            **{name: getattr(row, name) for name in changed}
        )
        noc.announce("Attendance", [row], created=False)
        is_mismatch = look.verdict.outcome is Outcome.MISMATCH
        mismatch = _facts(asked, row, side, look) if is_mismatch else None
        if mismatch is not None and current_workflow() is not None:
            # for a second attempt, which finds the verdict noted and has to say the same
            effects.keep_answer(effect_key(asked, side, photo), {"mismatch": mismatch})
        elif mismatch is not None:
            send_mismatch_notification.enqueue(mismatch_data=mismatch)
    result = result_of(side, look.verdict, "ok", look.warnings)
    if mismatch is not None and current_workflow() is not None:
        result |= for_next_step(mismatch)
    result["threshold"] = look.threshold
    result["in_geofence"] = in_fence.get(_FLAGS[side][1])
    result["shift_id"] = row.shift_id
    return result


def for_next_step(mismatch: dict[str, Any]) -> dict[str, Any]:
    """What the workflow's next step asks of the result of this one."""
    return {"is_mismatch": True, "mismatch": mismatch}


_FLAGS: dict[Side, tuple[str, str]] = {
    "in": ("startlocation", "isStartLocationInGeofence"),
    "out": ("endlocation", "isEndLocationInGeofence"),
}


def _fence_flags(asked: Asked, row: PeopleEventlog) -> dict[str, bool]:
    """Whether the punches were made inside the person's fence; of a punch whose place nobody knows nothing is said."""
    fences = list(
        entities.Plan.objects.using(asked.db)
        .filter(
            Q(geofence__client_id=asked.client_id) & ~entities.points_nowhere("geofence"),
            client_id=asked.client_id,
            people_id=asked.people_id,
            identifier="GEOFENCE",
            geofence__enable=True,
        )
        .values_list("geofence__geofence", flat=True)
    )
    flags = {}
    for location, flag in _FLAGS.values():
        answers = [places.contains(fence, getattr(row, location)) for fence in fences]
        if any(answer is not None for answer in answers):
            flags[flag] = any(answers)
    return flags


def _shift(asked: Asked, row: PeopleEventlog, warnings: list[str]) -> int | None:
    """The punch's shift; if it has none, the site's that begins nearest to it, by its own wall clock (D37)."""
    if not entities.is_none(row.shift_id):
        return row.shift_id
    assert row.punchintime is not None  # noqa: S101 - it is the punch that was checked
    none_id = entities.none_id()
    found = (
        entities.Shift.objects.using(asked.db)
        .filter(Q(client_id=asked.client_id, bu_id=row.bu_id) | Q(pk=none_id))
        .values_list("pk", "client_id", "bu_id", "starttime", "shiftname")
    )
    # Shifts need not have a NONE row (catalog.md 1.2): the one of that id may be a site's own.
    real = {pk: (place, start) for pk, *place, start, name in found if pk != none_id or name != "NONE"}
    if row.shift_id in real:
        return row.shift_id
    offsets = Offsets(asked.db)
    offset = offsets.of(row.ctzoffset, client_id=row.client_id, bu_id=row.bu_id)
    warnings.extend(offsets.warnings)
    starts = [(pk, start) for pk, (place, start) in real.items() if place == [asked.client_id, row.bu_id]]
    return rules.nearest_shift(local(row.punchintime, offset).time(), starts) or row.shift_id


def _facts(asked: Asked, row: PeopleEventlog, side: Side, look: Look) -> dict[str, Any]:
    return {
        "pel_uuid": asked.pel_uuid,
        "people_id": row.people_id,
        "client_id": row.client_id,
        "bu_id": row.bu_id,
        "side": side,
        "distance": look.verdict.distance,
        "threshold": look.threshold,
        "at": clock.now().isoformat(),
    }


def result_of(side: Side | None, verdict: Verdict | None, status: str, warnings: list[str]) -> dict[str, Any]:
    return {
        "status": status,
        "warnings": warnings,
        "side": side,
        "fr_status": None if verdict is None else verdict.outcome.value,
        "verified": None if verdict is None else verdict.is_verified,
        "distance": None if verdict is None else verdict.distance,
        "threshold": None,
        "in_geofence": None,
        "shift_id": None,
    }
