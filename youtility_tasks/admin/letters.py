"""Redrives of dead letters in Django's admin: begun by a form, gone on with and stopped by an action, and looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import construct_instance
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from youtility_tasks import dead_letters, membership
from youtility_tasks.dead_letters import Letters
from youtility_tasks.errors import EnqueueError, Refused
from youtility_tasks.models import Redrive

from .doors import Because, ToLookAt, tell_refusal

if TYPE_CHECKING:
    _RedriveForm = forms.ModelForm[Redrive]
else:
    # As in `queue.py`: Django itself gives them no subscript.
    _RedriveForm = forms.ModelForm

SECONDS_OF_A_REQUEST = 20.0
"""So long a page moves letters; what is left is gone on with by the action."""


class RedriveForm(Because, _RedriveForm):
    """Which dead letters get new attempts, how fast, with which arguments, and why."""

    edits = forms.JSONField(
        label="Arguments given anew",
        required=False,
        initial=dict,
        help_text='By name: {"level": 2}. Only for letters of one task. Leave it empty to redrive them as they are.',
    )
    all_of_them = forms.BooleanField(
        required=False, help_text="Every dead letter, if nothing above says which ones are meant."
    )

    class Meta:
        model = Redrive
        fields = ["task_name", "queue_name", "fingerprint", "failed_since", "failed_until", "rate_per_s", "edits"]

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        if "failed_until" in self.fields:
            self.fields["failed_until"].required = False

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        filters = [
            said.get(name) for name in ("task_name", "queue_name", "fingerprint", "failed_since", "failed_until")
        ]
        if not any(filters) and not said.get("all_of_them"):
            raise forms.ValidationError("Which letters? Say so, or tick “all of them”.")
        if not isinstance(said.get("edits") or {}, dict):
            raise forms.ValidationError('Arguments go by name: {"level": 2}.')
        return said

    def _post_clean(self) -> None:
        # As with controls: the call that begins it says what would be right.
        self.instance = construct_instance(self, self.instance, self._meta.fields)


@admin.register(Redrive)
class RedriveAdmin(ToLookAt):
    """`dead_letters.redrive`, `go_on` and `stop`."""

    form = RedriveForm  # type: ignore[assignment]
    list_display = [
        "id", "tenant_id", "task_name", "fingerprint", "rate_per_s", "done_count", "refused_count", "total_count", "started_by",
        "started_at", "ended_at", "is_stopped",
    ]  # fmt: skip
    ordering = ["-id"]
    exclude = ["edits", "key", "after_id"]
    actions = ["go_on", "stop"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("edits")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("youtility_tasks.add_redrive"))

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Django's permission; the role is asked by the acts."""
        return bool(request.user.has_perm("youtility_tasks.change_redrive"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [*RedriveForm.Meta.fields, "all_of_them", "because"]
        return [each.name for each in Redrive._meta.local_fields if each.name not in self.exclude]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.exclude if obj is not None else []

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # Not inside the page's transaction: each batch is one of its own.
        if request.method != "POST" or not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        form = self.get_form(request)(request.POST)
        if not form.is_valid():
            return super().add_view(request, form_url, extra_context)
        try:
            with membership.acting(request.user):
                row = _redrive(form.cleaned_data)
        except (Refused, EnqueueError) as refused:
            tell_refusal(self, request, refused)
            return HttpResponseRedirect(request.get_full_path())
        self._tell(request, row)
        return HttpResponseRedirect(reverse("admin:youtility_tasks_redrive_change", args=[row.pk]))

    @admin.action(description="Go on where it stopped", permissions=["act"])
    def go_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(request, queryset, lambda row: dead_letters.go_on(row.pk, most_s=SECONDS_OF_A_REQUEST))

    @admin.action(description="Stop: move no more", permissions=["act"])
    def stop(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._each(request, queryset, lambda row: dead_letters.stop(row.pk))

    def _each(self, request: HttpRequest, queryset: QuerySet[Any], act: Callable[[Redrive], Redrive]) -> None:
        for row in queryset:
            try:
                with membership.acting(request.user):
                    self._tell(request, act(row))
            except (Refused, EnqueueError) as refused:
                tell_refusal(self, request, refused)

    def _tell(self, request: HttpRequest, row: Redrive) -> None:
        stands = "It has ended." if row.ended_at else "It is unfinished: the action “Go on” continues it."
        said = f"Redrive {row.pk}: {row.done_count} of {row.total_count} moved, {row.refused_count} refused. {stands}"
        self.message_user(
            request, said, messages.WARNING if row.refused_count or not row.ended_at else messages.SUCCESS
        )


def _redrive(said: dict[str, Any]) -> Redrive:
    wanted = Letters(
        task_name=said["task_name"] or None,
        queue_name=said["queue_name"] or None,
        fingerprint=said["fingerprint"] or None,
        failed_since=said["failed_since"],
        failed_until=said["failed_until"],
    )
    return dead_letters.redrive(
        wanted,
        changes=said["edits"] or {},
        rate_per_s=said["rate_per_s"],
        reason=said["because"],
        most_s=SECONDS_OF_A_REQUEST,
    )
