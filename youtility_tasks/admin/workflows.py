"""Runs of workflows with the acts that are legal now, and the templates that they are started from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from youtility_tasks import membership
from youtility_tasks.errors import EnqueueError, Refused
from youtility_tasks.models import TaskDependency, TaskWorkflow, WorkflowSignal, WorkflowStep, WorkflowTemplate
from youtility_tasks.models.workflows import FLOW_STATUSES, STEP_STATUSES
from youtility_tasks.workflows import picture, runs
from youtility_tasks.workflows.graph import StepKind

from .doors import ToLookAt, one_of, tell_refusal


@admin.register(TaskWorkflow)
class TaskWorkflowAdmin(ToLookAt):
    """A run with its steps, and the acts that are legal now; each is a POST with a reason, and is in the audit log."""

    change_form_template = "admin/youtility_tasks/taskworkflow/change_form.html"
    list_display = ["id", "name", "tenant_id", "status", "open_count", "failed_count", "started_at", "ended_at"]
    list_filter = [one_of("status", FLOW_STATUSES)]
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
            with membership.acting(request.user):
                said = _act_on_run(pk, request.POST)
        except (Refused, EnqueueError) as refused:
            tell_refusal(self, request, refused)
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
class WorkflowTemplateAdmin(ToLookAt):
    list_display = ["name", "version", "tenant_id", "created_at", "created_by"]
    search_fields = ["=name"]
    ordering = ["name", "-version"]


class _PartOfRun(ToLookAt):
    """Found by the run that it is of: the number of a run, nothing else."""

    search_fields = ["workflow_id"]
    search_help_text = "The run's number"
    ordering = ["-id"]
    no_columns = ("args", "refs", "only_if", "over", "result", "error_message", "payload")
    """What the tenant's work is about: in the run's job, for those who may see it there."""

    def get_queryset(self, request: HttpRequest) -> Any:
        own = {each.name for each in self.model._meta.local_fields}
        return super().get_queryset(request).defer(*(own & set(self.no_columns)))

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.no_columns

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        word = search_term.strip()
        if not word:
            return queryset, False
        is_id = word.isascii() and word.isdecimal() and len(word) < 19
        return (queryset.filter(workflow_id=int(word)) if is_id else queryset.none()), False


@admin.register(WorkflowStep)
class WorkflowStepAdmin(_PartOfRun):
    list_display = [
        "id",
        "workflow_id",
        "name",
        "kind",
        "status",
        "tenant_id",
        "task_name",
        "job_id",
        "released_at",
        "ended_at",
    ]
    list_filter = [one_of("status", STEP_STATUSES)]


@admin.register(TaskDependency)
class TaskDependencyAdmin(_PartOfRun):
    list_display = ["id", "workflow_id", "tenant_id", "parent_id", "child_id", "kind"]


@admin.register(WorkflowSignal)
class WorkflowSignalAdmin(_PartOfRun):
    list_display = ["id", "workflow_id", "tenant_id", "name", "sent_at", "sent_by"]
