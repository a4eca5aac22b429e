"""Django's admin over jobs, attempts, workers, workflows, effects, controls, acts and tenants: for staff who see every tenant.

Jobs are never edited row by row; acts on them go through `manage_task_queue`, which refuses what a status does not allow.
Limits and pauses are changed by the same calls as there, so that each change is in the audit log with its reason. Arguments are
not shown: they hold people's names. With the setting `roles` the pages show the rows of the tenant that a middleware has
entered for the request, and none without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from . import audit, controls
from .errors import EnqueueError, Refused, WrongControl
from .models import (
    Job,
    QueueControl,
    TaskAuditLog,
    TaskEffect,
    TaskExecutionHistory,
    TaskWorker,
    TaskWorkflow,
    Tenant,
    WorkflowTemplate,
)
from .tenancy import roles
from .tenants import current_tenant
from .workflows import picture, runs
from .workflows.graph import StepKind

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
    _ControlForm = forms.ModelForm[QueueControl]
else:
    # Django itself gives them no subscript; only the backport on Django 5.2 adds one.
    _ModelAdmin, _ControlForm = admin.ModelAdmin, forms.ModelForm


class _ToLookAt(_ModelAdmin):
    """No adding, changing or deleting; a page counts nothing it does not show."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(_ToLookAt):
    list_display = ["id", "task_name", "queue_name", "tenant_id", "status", "attempts", "enqueued_at", "scheduled_at"]
    list_filter = ["status"]
    search_fields = ["=id", "=task_name"]
    ordering = ["-id"]
    exclude = ["args"]


@admin.register(TaskExecutionHistory)
class TaskExecutionHistoryAdmin(_ToLookAt):
    list_display = ["job_id", "task_name", "queue_name", "tenant_id", "attempt", "outcome", "run_ms", "finished_at"]
    list_filter = ["outcome"]
    search_fields = ["=job_id", "=task_name"]
    ordering = ["-finished_at"]
    exclude = ["args"]


@admin.register(TaskWorker)
class TaskWorkerAdmin(_ToLookAt):
    list_display = ["id", "host", "pid", "queue_name", "status", "slots", "heartbeat_at"]
    list_filter = ["status", "queue_name"]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # The web's user may not read them where the setting `roles` keeps tenants apart; `manage_task_queue workers` shows them.
        return roles.acting_as() is None and super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.acting_as() is None and super().has_module_permission(request)


@admin.register(TaskEffect)
class TaskEffectAdmin(_ToLookAt):
    list_display = ["key", "tenant_id", "task_name", "status", "created_at", "done_at"]
    list_filter = ["status"]
    search_fields = ["key"]
    ordering = ["-id"]
    exclude = ["payload"]


@admin.register(TaskAuditLog)
class TaskAuditLogAdmin(_ToLookAt):
    list_display = ["at", "actor", "act", "target", "tenant_id", "reason"]
    list_filter = ["act"]
    search_fields = ["=actor", "target"]
    ordering = ["-id"]


@admin.register(TaskWorkflow)
class TaskWorkflowAdmin(_ToLookAt):
    """A run with its steps, and the acts that are legal now; each is a POST with a reason, and is in the audit log."""

    change_form_template = "admin/youtility_tasks/taskworkflow/change_form.html"
    list_display = ["id", "name", "tenant_id", "status", "open_count", "failed_count", "started_at", "ended_at"]
    list_filter = ["status"]
    search_fields = ["=id", "=name", "=key"]
    ordering = ["-id"]
    exclude = ["context", "noted", "returns"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("context")

    def get_urls(self) -> list[Any]:
        act = path("<int:pk>/act/", self.admin_site.admin_view(self.act), name="youtility_tasks_taskworkflow_act")
        return [act, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        more: dict[str, Any] = dict(extra_context or {})
        if isinstance(run, TaskWorkflow):
            steps = picture.steps(run)
            waiting = [
                each.name for each in steps if each.kind == StepKind.SIGNAL and each.status in ("blocked", "todo")
            ]
            more |= {
                "steps": steps,
                "signals": waiting if run.status == "running" else [],
                "may_act": self._may_act(request),
            }
        return super().change_view(request, object_id, form_url, more)

    def act(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Do what one of the page's forms asks for."""
        if request.method != "POST" or not self._may_act(request) or self.get_object(request, str(pk)) is None:
            raise PermissionDenied
        try:
            with audit.acting(request.user.get_username()):
                said = _act_on_run(pk, request.POST)
        except (Refused, EnqueueError) as refused:
            self.message_user(request, str(refused), messages.ERROR)
        else:
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:youtility_tasks_taskworkflow_change", args=[pk]))

    def _may_act(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("youtility_tasks.change_taskworkflow"))


def _act_on_run(workflow_id: int, asked: Mapping[str, str]) -> str:
    match asked.get("act"):
        case "signal":
            text = asked.get("payload", "").strip()
            try:
                said = json.loads(text) if text else None
            except ValueError as error:
                raise Refused(f"The payload is no JSON: {error}. Text needs quotes.") from None
            runs.signal(workflow_id, asked.get("name", ""), said)
            return f"Signal {asked.get('name')!r} was sent."
        case "cancel":
            done = runs.cancel(workflow_id, asked.get("reason", ""))
            return f"{done.cancelled} steps will not begin, {done.aborting} that run were asked to end."
        case "retry":
            return f"{runs.retry(workflow_id, asked.get('mode', ''), asked.get('reason', ''))} steps begin anew."
    raise Refused(f"A workflow is sent a signal, cancelled or retried; given: {asked.get('act')!r}.")


@admin.register(WorkflowTemplate)
class WorkflowTemplateAdmin(_ToLookAt):
    list_display = ["name", "version", "tenant_id", "created_at", "created_by"]
    search_fields = ["=name"]
    ordering = ["name", "-version"]


class ControlForm(_ControlForm):
    """What may be set of a control, and why it is set now."""

    because = forms.CharField(
        label="Reason",
        max_length=audit.LONGEST_REASON,
        help_text="Why you change it: kept in the audit log with your name.",
    )

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
class QueueControlAdmin(_ModelAdmin):
    """`controls.limit`, `pause` and `resume` as a form; a row is emptied, never deleted: jobs may be parked under it."""

    form = ControlForm  # type: ignore[assignment]
    list_display = ["__str__", "max_running", "rate_per_s", "is_paused", "paused_until", "changed_at", "changed_by"]
    list_filter = ["is_paused", "queue_name"]
    search_fields = ["=queue_name", "=task_name", "=tenant_id"]
    ordering = ["queue_name", "task_name", "tenant_id"]
    readonly_fields = ["reason", "paused_at", "paused_by", "changed_at", "changed_by"]
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        of_target = ["queue_name", "task_name", "tenant_id"] if obj is not None else []
        return [*of_target, *self.readonly_fields]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Inside a tenant a call without one means that tenant's own control: what is set for all stays to be looked at.
        is_own = obj is None or current_tenant() in (None, obj.tenant_id)
        return is_own and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except WrongControl as refused:  # its transaction is rolled back by now
            self.message_user(request, str(refused), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        with audit.acting(request.user.get_username()):
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


@admin.register(Tenant)
class TenantAdmin(_ModelAdmin):
    list_display = ["id", "name", "is_active", "weight"]
    search_fields = ["=id", "name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["id"] if obj is not None else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # its history names it; make it inactive instead
