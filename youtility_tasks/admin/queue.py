"""Django's admin over jobs, attempts, workers, effects, controls, schedules, acts and tenants: for staff who see every tenant.

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
from django.contrib.admin.helpers import ActionForm
from django.db.models import Model, Q, QuerySet
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from youtility_tasks import acts, audit, controls, members, membership, notes, roster, suspension
from youtility_tasks.errors import EnqueueError, NotAllowed, Refused
from youtility_tasks.models import (
    Job,
    QueueControl,
    TaskAuditLog,
    TaskEffect,
    TaskExecutionHistory,
    TaskWorker,
    Tenant,
    TenantMembership,
)
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import current_tenant

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Model]
    _ControlForm = forms.ModelForm[QueueControl]
    _TenantForm = forms.ModelForm[Tenant]
    _MemberForm = forms.ModelForm[TenantMembership]
else:
    # Django itself gives them no subscript; only the backport on Django 5.2 adds one.
    _ModelAdmin, _ControlForm, _TenantForm, _MemberForm = admin.ModelAdmin, *[forms.ModelForm] * 3


class OfTenant(_ModelAdmin):
    """The rows of the tenant that the person works for; all of them to who works for none and operates every tenant."""

    of_tenant = "tenant_id"
    """The column that says whose a row is."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found, here = super().get_queryset(request), current_tenant()
        if here is not None:
            return found.filter(self.belongs_to(here))
        return found if membership.is_ops(request.user) else found.none()

    def belongs_to(self, tenant_id: int) -> Q:
        """Which rows a tenant may look at."""
        return Q(**{self.of_tenant: tenant_id})


class ToLookAt(OfTenant):
    """No adding, changing or deleting; a page counts nothing it does not show."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class WithReason(ActionForm):
    """What is to be done with the rows that are ticked, and why."""

    because = forms.CharField(label="Reason", max_length=audit.LONGEST_REASON, required=False)


@admin.register(Job)
class JobAdmin(ToLookAt):
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
    list_filter = ["status"]
    search_fields = ["=id", "=task_name", "=fingerprint"]
    ordering = ["-id"]
    exclude = ["args", "progress", "progress_note"]
    readonly_fields = ["how_far"]

    @admin.display(description="Progress")
    def how_far(self, job: Job) -> str:
        return str(notes.of_job(job) or "")

    actions = ["retry", "discard"]
    action_form = WithReason

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Django's permission; the role is asked by the acts."""
        return bool(request.user.has_perm("youtility_tasks.change_job"))

    @admin.action(description="Dead letters: new attempts", permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._act(request, lambda: acts.retry_many(queryset.values_list("pk", flat=True)), "wait for new attempts")

    @admin.action(description="Dead letters: discard (with a reason)", permissions=["act"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        because = request.POST.get("because", "").strip()
        if not because:
            self.message_user(request, "Why are they discarded? Give a reason beside the action.", messages.ERROR)
            return
        self._act(request, lambda: acts.discard_many(queryset.values_list("pk", flat=True), because), "were discarded")

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
class TaskExecutionHistoryAdmin(ToLookAt):
    list_display = ["job_id", "task_name", "queue_name", "tenant_id", "attempt", "outcome", "run_ms", "finished_at"]
    list_filter = ["outcome"]
    search_fields = ["=job_id", "=task_name"]
    ordering = ["-finished_at"]
    exclude = ["args"]


@admin.register(TaskWorker)
class TaskWorkerAdmin(ToLookAt):
    list_display = ["id", "host", "pid", "queue_name", "status", "slots", "heartbeat_at"]
    list_filter = ["status", "queue_name"]

    def belongs_to(self, tenant_id: int) -> Q:
        return Q()  # to nobody: who sees them at all sees them all

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # The web's user may not read them where the setting `roles` keeps tenants apart; `manage_task_queue workers` shows them.
        is_seen = roles.acting_as() is None and membership.is_ops(request.user)
        return is_seen and super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return roles.acting_as() is None and super().has_module_permission(request)


@admin.register(TaskEffect)
class TaskEffectAdmin(ToLookAt):
    list_display = ["key", "tenant_id", "task_name", "status", "created_at", "done_at"]
    list_filter = ["status"]
    search_fields = ["key"]
    ordering = ["-id"]
    exclude = ["payload"]


@admin.register(TaskAuditLog)
class TaskAuditLogAdmin(ToLookAt):
    list_display = ["at", "actor", "act", "target", "tenant_id", "reason"]
    list_filter = ["act"]
    search_fields = ["=actor", "target"]
    ordering = ["-id"]


class ByActs(OfTenant):
    """Changes rows by the house's own acts, which ask for a role and enter who, what and why; their refusals are told."""

    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with membership.acting(request.user):
            try:
                return super().changeform_view(request, object_id, form_url, extra_context)
            except (Refused, EnqueueError) as refused:  # its transaction is rolled back by now
                tell_refusal(self, request, refused)
                return HttpResponseRedirect(request.get_full_path())


def tell_refusal(page: admin.ModelAdmin[Any], request: HttpRequest, refused: Refused | EnqueueError) -> None:
    """On the next page; one for want of a role is in the audit log, too."""
    if isinstance(refused, NotAllowed):
        membership.enter_refusal(refused)
    page.message_user(request, str(refused), messages.ERROR)


class Because(forms.Form):
    because = forms.CharField(
        label="Reason",
        max_length=audit.LONGEST_REASON,
        help_text="Why you change it: kept in the audit log with your name.",
    )


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
