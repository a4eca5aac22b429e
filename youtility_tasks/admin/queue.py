"""Django's admin over jobs, attempts, effects, controls, acts and tenants: for staff who see every tenant.

Jobs are never edited row by row; dead letters are retried and discarded by the house's own acts, which refuse what a status does not
allow (`letters.py` has the redrives).
Limits and pauses are changed by the same calls as there, so that each change is in the audit log with its reason. Arguments are
not shown: they hold people's names. With the setting `roles` the pages show the rows of the tenant that a middleware has
entered for the request, and none without. Beside Django's permissions an act takes the role that `membership.NEEDS` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.forms.models import construct_instance
from django.http import HttpRequest

from youtility_tasks import acts, controls, members, membership, notes, roster, suspension
from youtility_tasks.errors import Refused
from youtility_tasks.models import (
    Job,
    QueueControl,
    TaskAuditLog,
    TaskEffect,
    TaskExecutionHistory,
    Tenant,
    TenantMembership,
)
from youtility_tasks.status import JobStatus, Outcome
from youtility_tasks.tenants import current_tenant

from .doors import Because, ByActs, FoundExactly, ToLookAt, WithReason, one_of, reason_of, tell_refusal

if TYPE_CHECKING:
    _ControlForm = forms.ModelForm[QueueControl]
    _TenantForm = forms.ModelForm[Tenant]
    _MemberForm = forms.ModelForm[TenantMembership]
else:
    # Django itself gives them no subscript; only the backport on Django 5.2 adds one.
    _ControlForm = _TenantForm = _MemberForm = forms.ModelForm


@admin.register(Job)
class JobAdmin(FoundExactly):
    """Jobs to look at; those that are dead letters are retried or discarded."""

    list_display = [
        "id",
        "task_name",
        "queue_name",
        "tenant_id",
        "status",
        "how_far",
        "attempts",
        "enqueued_at",
        "scheduled_at",
        "fingerprint",
    ]
    list_filter = [one_of("status", (JobStatus.TODO, JobStatus.DOING, JobStatus.FAILED))]
    search_fields = ["task_name", "fingerprint"]
    found_by_id = "id"
    ordering = ["-id"]
    exclude = ["args", "progress", "progress_note"]
    readonly_fields = ["how_far"]

    @admin.display(description="Progress")
    def how_far(self, job: Job) -> str:
        return str(notes.of_job(job) or "")

    actions = ["retry", "cancel", "discard"]
    action_form = WithReason

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Django's permission; the role is asked by the acts."""
        return bool(request.user.has_perm("youtility_tasks.change_job"))

    @admin.action(description="Dead letters: new attempts", permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._act(request, lambda: acts.retry_many(queryset.values_list("pk", flat=True)), "wait for new attempts")

    @admin.action(description="Dead letters: discard (with a reason)", permissions=["act"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        because = reason_of(self, request)
        if because is not None:
            ids = queryset.values_list("pk", flat=True)
            self._act(request, lambda: acts.discard_many(ids, because), "were discarded")

    @admin.action(description="Cancel: off the queue, or asked to end (with a reason)", permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        because = reason_of(self, request)
        if because is not None:
            ids = queryset.values_list("pk", flat=True)
            self._act(request, lambda: acts.cancel_many(ids, because), "were cancelled, or asked to end")

    def _act(self, request: HttpRequest, act: Callable[[], acts.Acts], became: str) -> None:
        try:
            with membership.acting(request.user):
                done = act()
        except Refused as refused:
            tell_refusal(self, request, refused)
            return
        if done.done:
            self.message_user(request, f"{len(done.done)} {became}.", messages.SUCCESS)
        for each in list(done.refused.values())[:10]:
            self.message_user(request, str(each), messages.ERROR)


@admin.register(TaskExecutionHistory)
class TaskExecutionHistoryAdmin(FoundExactly):
    list_display = ["job_id", "task_name", "queue_name", "tenant_id", "attempt", "outcome", "run_ms", "finished_at"]
    list_filter = [one_of("outcome", Outcome)]
    search_fields = ["task_name"]
    found_by_id = "job_id"
    ordering = ["-finished_at"]
    exclude = ["args"]


@admin.register(TaskEffect)
class TaskEffectAdmin(ToLookAt):
    list_display = ["key", "tenant_id", "task_name", "status", "created_at", "done_at"]
    list_filter = [one_of("status", ("pending", "reserved", "done"))]
    search_fields = ["key"]
    ordering = ["-id"]
    exclude = ["payload"]


@admin.register(TaskAuditLog)
class TaskAuditLogAdmin(ToLookAt):
    list_display = ["at", "actor", "act", "target", "tenant_id", "reason"]
    list_filter = [one_of("act", (*membership.NEEDS, "for all tenants", "refused"))]
    search_fields = ["=actor", "target"]
    ordering = ["-id"]


class ControlForm(Because, _ControlForm):
    """What may be set of a control, and why it is set now."""

    class Meta:
        model = QueueControl
        fields = [
            "queue_name",
            "task_name",
            "tenant_id",
            "max_running",
            "rate_per_s",
            "burst",
            "is_paused",
            "paused_until",
        ]

    def _post_clean(self) -> None:
        # The model's own checks are left out: the call that changes the row says what would be right.
        self.instance = construct_instance(self, self.instance, self._meta.fields)


@admin.register(QueueControl)
class QueueControlAdmin(ByActs):
    """`controls.limit`, `pause` and `resume` as a form; a row is emptied, never deleted: jobs may be parked under it."""

    form = ControlForm  # type: ignore[assignment]
    list_display = ["__str__", "max_running", "rate_per_s", "is_paused", "paused_until", "changed_at", "changed_by"]
    list_filter = ["is_paused", "queue_name"]
    search_fields = ["=queue_name", "=task_name", "=tenant_id"]
    ordering = ["queue_name", "task_name", "tenant_id"]
    readonly_fields = ["reason", "paused_at", "paused_by", "changed_at", "changed_by"]

    def belongs_to(self, tenant_id: int) -> Q:
        return super().belongs_to(tenant_id) | Q(tenant_id=None)  # which keeps each tenant's jobs, too

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        of_target = ["queue_name", "task_name", "tenant_id"] if obj is not None else []
        return [*of_target, *self.readonly_fields]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Inside a tenant a call without one means that tenant's own control: what is set for all stays to be looked at.
        is_own = obj is None or current_tenant() in (None, obj.tenant_id)
        return is_own and super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        obj.pk = _change(obj, form.cleaned_data, set(form.changed_data), is_new=not change)


def _change(row: QueueControl, wanted: dict[str, Any], changed: set[str], *, is_new: bool) -> int:
    """Do what was changed in the form; the control's id."""
    target: dict[str, Any] = {
        "queue": row.queue_name or None,
        "task": row.task_name or None,
        "tenant": row.tenant_id,
        "reason": wanted["because"],
    }
    is_shut = {"is_paused", "paused_until"} & changed
    limits = {name: wanted[name] for name in ("max_running", "rate_per_s", "burst") if name in changed}
    if is_new:
        limits = {name: value for name, value in limits.items() if value is not None}
    control_id = row.pk
    if limits or not is_shut:
        made = controls.limit(
            **target,
            running=limits.get("max_running", controls.KEEP),
            rate_per_s=limits.get("rate_per_s", controls.KEEP),
            burst=limits.get("burst", controls.KEEP),
        )
        control_id = made.control_id
    if is_shut and wanted["is_paused"]:
        control_id = controls.pause(**target, until=wanted["paused_until"]).control_id
    elif is_shut:
        control_id = controls.resume(**target).control_id
    return control_id


class TenantForm(Because, _TenantForm):
    """What may be said of a tenant, and why it is changed now."""

    class Meta:
        model = Tenant
        fields = ["id", "name", "weight", "is_active"]


@admin.register(Tenant)
class TenantAdmin(ByActs):
    """`roster` and `suspension` as a form: who is switched off has its jobs cancelled, and a row stays, as its history names it."""

    form = TenantForm  # type: ignore[assignment]
    of_tenant = "pk"
    list_display = ["id", "name", "is_active", "weight", "zone"]
    search_fields = ["=id", "name"]
    readonly_fields = [
        "zone",
        "created_at",
        "deactivated_at",
        "deactivated_reason",
    ]  # `tenants zone` checks a zone, and tells the workers

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["id", *self.readonly_fields] if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        why, changed = form.cleaned_data["because"], set(form.changed_data)
        if not change or (obj.is_active and "is_active" in changed):
            roster.add(obj.pk, obj.name, weight=obj.weight, reason=why)
        else:
            if "name" in changed:
                roster.rename(obj.pk, obj.name, why)
            if "weight" in changed:
                roster.weigh(obj.pk, obj.weight, why)
        if not obj.is_active and (not change or "is_active" in changed):
            suspension.suspend(obj.pk, why)


class MemberForm(Because, _MemberForm):
    """Who may do what for which tenant, and why that changes now."""

    class Meta:
        model = TenantMembership
        fields = ["tenant", "user", "role"]


@admin.register(TenantMembership)
class TenantMembershipAdmin(ByActs):
    """`members.grant` as a form; `manage_task_queue tenants revoke` takes a role away."""

    form = MemberForm  # type: ignore[assignment]
    list_display = ["user", "tenant_id", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user"]
    raw_id_fields = ["user"]
    ordering = ["tenant_id", "pk"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["tenant", "user"] if obj is not None else []

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        made = members.grant(obj.tenant_id, obj.user.get_username(), obj.role, form.cleaned_data["because"])
        obj.pk = made.pk
