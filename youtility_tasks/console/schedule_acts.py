"""What people do to schedules and to the days they keep: make, edit, pause, resume, run now, remove; holidays, the zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any

from django import forms

from youtility_tasks import schedules
from youtility_tasks.addresses import LARGEST_ID
from youtility_tasks.errors import Refused, UnknownZone, WrongSchedule
from youtility_tasks.models import ScheduledTask
from youtility_tasks.schedules import editing, looking, reading, words
from youtility_tasks.visits import For

from . import schedule_forms
from .acting import Act, Done, Form, Proposal, act
from .schedule_forms import Instant, NewScheduleForm, ScheduleForm
from .visit import Visit


class _OneSchedule(forms.Form):
    schedule = forms.IntegerField(min_value=1, max_value=LARGEST_ID)


class _ScheduleAct(Act):
    Target = _OneSchedule
    scope = For.TENANT_OR_SWEEPS

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """The schedule, its rule, and what becomes of it."""
        row = found(visit, target)
        touches = (f"{row.name}: {row.task_name}, {words.rule(row, editing.zone_of(row))}.", *self.becomes(row))
        return Proposal(f"{self.label} {row.name}?", touches, visit.to("schedule", row.pk))

    def becomes(self, row: ScheduledTask) -> tuple[str, ...]:
        """What the act makes of it, in sentences."""
        return ()


def found(visit: Visit, target: Mapping[str, Any]) -> ScheduledTask:
    """The schedule that is meant. Raises UnknownSchedule, Refused for one that was removed."""
    row = looking.find(target["schedule"], visit.tenant_id)
    if row.removed_at is not None:
        raise Refused(f"The schedule {row.name!r} was removed; make a new one of that name and its history goes on.")
    return row


@act
class NewSchedule(Act):
    """A rule that makes jobs again and again."""

    name, needs, label = "new-schedule", "create schedule", "New schedule"
    confirm = "Make the schedule"
    scope = For.TENANT_OR_SWEEPS
    Fields = NewScheduleForm

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """What it begins."""
        touches = ("It makes jobs from its next time on.",)
        return Proposal("New schedule", touches, visit.to("schedules"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.create`."""
        said = schedule_forms.said(given)
        row = schedules.create(given["name"], said.pop("task"), reason=reason, **said)
        return Done(f"The schedule {row.name} is made.", visit.to("schedule", row.pk))


@act
class ChangeSchedule(_ScheduleAct):
    """Let it say something else from now on."""

    name, needs, label = "change-schedule", "change schedule", "Edit"
    confirm = "Save"
    Fields = ScheduleForm

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """No question: the form follows."""
        return replace(super().proposal(visit, target), title=f"Edit {found(visit, target).name}")

    def becomes(self, row: ScheduledTask) -> tuple[str, ...]:
        """From when on."""
        return ("What was due before goes by what it said until then; the change holds within a second.",)

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it stands."""
        return schedule_forms.words_of(found(visit, target))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.change`."""
        row = found(visit, given)
        said = schedule_forms.changed(row, given)
        if not said:
            raise Refused("Nothing is changed: the schedule says all of this already.")
        schedules.change(row.name, reason=reason, **said)
        return Done(f"{row.name} is changed.")


@act
class RunSchedule(_ScheduleAct):
    """One job now."""

    name, needs, label = "run-schedule", "run schedule", "Run now"

    def becomes(self, row: ScheduledTask) -> tuple[str, ...]:
        """A job beside its ticks."""
        return ("One job of it begins now, whatever its rule and its pauses say. Its next run stays as it is.",)

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.run_now`."""
        job_id = schedules.run_now(found(visit, given).name, reason=reason)
        return Done(f"Job {job_id} was made.", visit.to("job", job_id))


class _PauseFields(Form):
    minutes = forms.TypedChoiceField(
        label="For", required=False, coerce=int, empty_value=None,
        choices=[("", "until somebody resumes it, or as below"), ("60", "1 hour"), ("480", "8 hours"), ("1440", "1 day"), ("10080", "7 days")],
    )  # fmt: skip
    until = Instant(label="Until (UTC)", required=False)

    def place(self, error: Exception) -> str | None:
        """The end of the pause is all that can be wrong."""
        return "until" if isinstance(error, WrongSchedule) and str(error).startswith(("until", "Give")) else None


@act
class PauseSchedule(_ScheduleAct):
    """Skip its ticks for a while."""

    name, needs, label = "pause-schedule", "pause schedule", "Pause"
    Fields = _PauseFields

    def becomes(self, row: ScheduledTask) -> tuple[str, ...]:
        """Its ticks are skipped."""
        return (
            "Its ticks are skipped while the pause holds, and each is listed with the reason. They are not made up for afterwards.",
            "Jobs that it has made already run all the same.",
        )

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.pause`."""
        row = schedules.pause(found(visit, given).name, minutes=given["minutes"], until=given["until"], reason=reason)
        end = (
            "somebody resumes it"
            if row.paused_until is None
            else f"{row.paused_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        )
        return Done(f"{row.name} is paused until {end}.")


@act
class ResumeSchedule(_ScheduleAct):
    """End a pause."""

    name, needs, label = "resume-schedule", "resume schedule", "Resume"
    asks_reason = False

    def becomes(self, row: ScheduledTask) -> tuple[str, ...]:
        """Who paused it."""
        why = f", saying: {row.pause_reason}" if row.pause_reason else ""
        who = f"{row.paused_by} paused it{why}." if row.paused_by else "It is paused."
        return (who, "It fires again from its next time on; what was skipped stays skipped.")

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.resume`."""
        return Done(f"{schedules.resume(found(visit, given).name, reason=reason).name} fires again.")


@act
class RemoveSchedule(_ScheduleAct):
    """Let it fire no more."""

    name, needs, label = "remove-schedule", "remove schedule", "Remove"
    confirm = "Remove the schedule"
    hurts = True

    def becomes(self, row: ScheduledTask) -> tuple[str, ...]:
        """What stays."""
        more = " A schedule that its task declares does not come back with the next set-up." if row.declared else ""
        return (f"It fires no more. What it has done stays listed, and jobs that it has made run.{more}",)

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.remove`."""
        return Done(f"{schedules.remove(found(visit, given).name, reason=reason).name} fires no more.")


# -- the days that they keep


class _HolidayFields(Form):
    day = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    called = forms.CharField(label="Name", max_length=200)
    site = forms.IntegerField(required=False, help_text="Empty: all sites.", min_value=-(2**63), max_value=2**63 - 1)


@act
class AddHoliday(Act):
    """A day off."""

    name, needs, label = "add-holiday", "add holiday", "Add a holiday"
    asks_reason = False
    scope = For.TENANT_OR_SWEEPS
    Fields = _HolidayFields

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Which schedules keep it."""
        touches = (
            "Schedules of working days, and of every day but holidays, skip it; the first and last working day of a month move.",
            "A second one on the same day replaces its name.",
        )
        return Proposal("Add a holiday", touches, visit.to("holidays"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.holidays.add`."""
        added = schedules.holidays.add(given["day"], given["called"], site_id=given["site"], reason=reason)
        return Done(f"{added.day} is a holiday: {added.name}.")


class _OneHoliday(forms.Form):
    day = forms.DateField()
    site = forms.IntegerField(required=False, min_value=-(2**63), max_value=2**63 - 1)


@act
class RemoveHoliday(Act):
    """Take a day off back."""

    name, needs, label = "remove-holiday", "remove holiday", "Remove"
    asks_reason = False
    scope = For.TENANT_OR_SWEEPS
    Target = _OneHoliday

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Which day, and of what."""
        where = "all sites" if target["site"] is None else f"site {target['site']}"
        touches = (f"{target['day']:%A}, {target['day']} is a working day again for {where}.",)
        return Proposal("Remove this holiday?", touches, visit.to("holidays"))

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.holidays.remove`."""
        schedules.holidays.remove(given["day"], site_id=given["site"], reason=reason)
        return Done(f"{given['day']} is no holiday any more.")


class _ZoneFields(Form):
    zone = forms.CharField(
        max_length=64, widget=forms.TextInput(attrs={"autocomplete": "off"}), help_text="A name of the IANA database: Europe/Berlin."
    )  # fmt: skip

    def place(self, error: Exception) -> str | None:
        """The one field."""
        return "zone" if isinstance(error, UnknownZone) else None


@act
class SetZone(Act):
    """On which clock the tenant's schedules go."""

    name, needs, label = "set-zone", "set zone", "Change the zone"
    scope = For.TENANT
    Fields = _ZoneFields

    def proposal(self, visit: Visit, target: Mapping[str, Any]) -> Proposal:
        """Which schedules it moves."""
        touches = ("Every schedule that names no zone of its own goes by this clock, from its next time on.",)
        return Proposal("Change the zone of the schedules?", touches, visit.to("holidays"))

    def initial(self, visit: Visit, target: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it stands."""
        return {"zone": reading.tenant_zone(visit.tenant_id or 0)}

    def run(self, visit: Visit, given: Mapping[str, Any], reason: str) -> Done:
        """See `schedules.holidays.set_zone`."""
        schedules.holidays.set_zone(visit.tenant_id or 0, given["zone"], reason=reason)
        return Done(f"Schedules go by the clock of {given['zone']}.")
