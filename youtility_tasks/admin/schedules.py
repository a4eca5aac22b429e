"""Schedules, their occurrences and holidays in Django's admin: changed by the calls of `schedules`, audited with a reason."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.forms.models import construct_instance
from django.http import HttpRequest

from youtility_tasks import membership, schedules
from youtility_tasks.errors import EnqueueError, Refused
from youtility_tasks.models import ScheduledTask, ScheduledTaskExecution, ScheduleHoliday
from youtility_tasks.schedules import definition
from youtility_tasks.tenants import current_tenant, no_tenant, tenant

from .doors import Because, ByActs, OfTenant, ToLookAt, tell_refusal

if TYPE_CHECKING:
    _ScheduleForm = forms.ModelForm[ScheduledTask]
    _HolidayForm = forms.ModelForm[ScheduleHoliday]
else:
    # As in `queue.py`: Django itself gives them no subscript.
    _ScheduleForm = _HolidayForm = forms.ModelForm


class ScheduleForm(Because, _ScheduleForm):
    """What a schedule says, and why it says so from now on."""

    class Meta:
        model = ScheduledTask
        fields = ["name", "tenant_id", *definition.SAID, "is_paused", "paused_until"]

    def _post_clean(self) -> None:
        # As with controls: the call that changes the row says what would be right.
        self.instance = construct_instance(self, self.instance, self._meta.fields)


@admin.register(ScheduledTask)
class ScheduledTaskAdmin(ByActs):
    """`schedules.create`, `change`, `pause`, `resume`, `run_now` and `remove` as a form and two actions."""

    form = ScheduleForm  # type: ignore[assignment]
    list_display = ["name", "tenant_id", "task_name", "kind", "cron", "every_s", "is_paused", "next_at", "version"]
    list_filter = ["kind", "is_paused"]
    search_fields = ["name", "=task_name", "=tenant_id"]
    readonly_fields = ["version", "next_at", "settled_to", "paused_by", "changed_at", "changed_by"]
    actions = ["run_now", "remove"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(removed_at=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*(["name", "tenant_id"] if obj is not None else []), *self.readonly_fields]

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        with membership.acting(request.user), _tenant_of_schedule(obj):
            obj.pk = _change_schedule(obj, form.cleaned_data, set(form.changed_data), is_new=not change)

    @admin.action(description="Run now", permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, lambda row: f"Job {schedules.run_now(row.name)} was made.")

    @admin.action(description="Remove: fire no more", permissions=["change"])
    def remove(self, request: HttpRequest, queryset: Any) -> None:
        self._each(request, queryset, lambda row: f"{schedules.remove(row.name)} fires no more.")

    def _each(self, request: HttpRequest, queryset: Any, act: Callable[[ScheduledTask], str]) -> None:
        for row in queryset:
            try:
                with membership.acting(request.user), _tenant_of_schedule(row):
                    self.message_user(request, act(row))
            except (Refused, EnqueueError) as refused:
                tell_refusal(self, request, refused)


def _tenant_of_schedule(row: ScheduledTask) -> contextlib.AbstractContextManager[object]:
    """Its tenant; inside one, that one, whatever the form says."""
    here = current_tenant()
    return tenant(here or row.tenant_id) if here or row.tenant_id else no_tenant()


def _change_schedule(row: ScheduledTask, wanted: dict[str, Any], changed: set[str], *, is_new: bool) -> int:
    """Do what was changed in the form; the schedule's id."""
    reason = wanted["because"]
    words = {"task_name": "task", "queue_name": "queue"}
    before = None if is_new else schedules.get(row.name)
    # A browser sends an instant without its fraction, and JSON in another order: what comes to the same is no change.
    changed -= {name for name in definition.SAID if before is not None and wanted[name] == getattr(before, name)}
    said = {
        words.get(name, name): wanted[name]
        for name in definition.SAID
        if name in changed and name not in {"kind", "quiet_from", "quiet_to"}
    }
    if {"quiet_from", "quiet_to"} & changed:
        both = wanted["quiet_from"], wanted["quiet_to"]
        said["quiet"] = None if both == (None, None) else both
    said = _of_its_kind(said, wanted, is_new=is_new)
    if is_new:
        made = schedules.create(row.name, said.pop("task", ""), reason=reason, **said)
    elif said:
        made = schedules.change(row.name, reason=reason, **said)
    else:
        made = schedules.get(row.name)
    if {"is_paused", "paused_until"} & changed:
        if wanted["is_paused"]:
            made = schedules.pause(row.name, until=wanted["paused_until"], reason=reason)
        elif not is_new:
            made = schedules.resume(row.name, reason=reason)
    return made.pk


def _of_its_kind(said: dict[str, Any], wanted: dict[str, Any], *, is_new: bool) -> dict[str, Any]:
    """Without what belongs to another kind than the chosen one; with what the chosen one goes by, if that was changed."""
    goes_by = {"cron": ["cron"], "interval": ["every_s", "at"], "once": ["at"]}[wanted["kind"]]
    for word in {"cron", "every_s", "at"} - set(goes_by):
        said.pop(word, None)
    return {word: value for word, value in said.items() if word not in goes_by or value not in (None, "")}


@admin.register(ScheduledTaskExecution)
class ScheduledTaskExecutionAdmin(ToLookAt):
    list_display = ["tick_at", "schedule_id", "tenant_id", "outcome", "reason", "detail", "job_id", "version"]
    list_filter = ["outcome", "reason"]
    search_fields = ["=schedule_id", "=job_id"]
    ordering = ["-id"]


class HolidayForm(_HolidayForm):
    class Meta:
        model = ScheduleHoliday
        fields = ["tenant_id", "site_id", "day", "name"]


@admin.register(ScheduleHoliday)
class ScheduleHolidayAdmin(ByActs):
    """`schedules.holidays.add` and `remove`: a holiday is added or taken back, not moved."""

    form = HolidayForm  # type: ignore[assignment]
    list_display = ["day", "name", "tenant_id", "site_id"]
    list_filter = ["tenant_id"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return OfTenant.has_delete_permission(self, request, obj)  # nothing hangs on a day that was taken back

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        with membership.acting(request.user), _tenant_of_schedule(obj):
            obj.pk = schedules.holidays.add(obj.day, obj.name, site_id=obj.site_id).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with membership.acting(request.user), _tenant_of_schedule(obj):
            schedules.holidays.remove(obj.day, site_id=obj.site_id)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)
