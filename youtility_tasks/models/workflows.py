"""Workflows: a run, its steps, the edges between them, signals that were sent, and definitions stored by name and version.

Rows are written by the functions of migration 0021 alone. Composite foreign keys, which Django cannot say, keep edges, steps
and signals within one run and one tenant.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

FLOW_STATUSES = ["blocked", "running", "succeeded", "failed", "cancelled", "skipped"]
STEP_STATUSES = ["blocked", "todo", "succeeded", "failed", "cancelled", "aborted", "skipped"]
TENANTS_OWN = ("context", "reason")
"""What of a run only its tenant may see."""
STEPS_OWN = ("args", "only_if", "refs", "over", "lock", "result", "error_message")
"""What of a step only its tenant may see."""
_FLOW_LIVE, _STEP_LIVE = ["blocked", "running"], ["blocked", "todo"]


class FlowQuerySet(models.QuerySet["TaskWorkflow"]):
    """Named questions about runs; each narrows what it is asked of."""

    def for_tenant(self, tenant_id: int | None) -> FlowQuerySet:
        """The runs of this tenant alone; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def outermost(self) -> FlowQuerySet:
        """Without those that are a step of another."""
        return self.filter(parent_step_id=None)


class TaskWorkflow(models.Model):
    """One run of a graph of steps."""

    tenant_id = models.IntegerField()
    root_id = models.BigIntegerField(help_text="the outermost run; its row's lock is the lock of all below it")
    parent_step_id = models.BigIntegerField(null=True, help_text="of a sub-workflow: the step that it is")
    name = models.CharField(max_length=200)
    key = models.CharField(max_length=500, null=True, help_text="one run of this name has it")  # noqa: DJ001
    template_name = models.CharField(max_length=200, default="", db_default="")
    template_version = models.IntegerField(null=True)
    status = models.CharField(max_length=16, help_text="blocked: the step that it is has not been released")
    context = models.JSONField(default=dict, help_text="of the outermost run: what `start` was given")
    returns = models.CharField(
        max_length=200, default="", db_default="", help_text="the step whose result is its result"
    )
    deadline_s = models.FloatField(null=True)
    deadline_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    is_overdue = models.BooleanField(default=False, db_default=False, help_text="its deadline cancelled it")
    reason = models.TextField(default="", db_default="", help_text="why it was cancelled")
    noted = models.BooleanField(
        default=False, db_default=False, help_text="procrastinate writes its events for the jobs"
    )
    open_count = models.IntegerField(default=0, db_default=0, help_text="steps that have not ended")
    failed_count = models.IntegerField(
        default=0, db_default=0, help_text="steps that ended without success, by themselves"
    )

    objects = FlowQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "id"], name="yt_flow_of_tenant"),
            models.UniqueConstraint(
                fields=["tenant_id", "name", "key"], name="yt_flow_key_once", condition=Q(key__isnull=False)
            ),
            models.CheckConstraint(name="yt_flow_status_word", condition=Q(status__in=FLOW_STATUSES)),
            models.CheckConstraint(
                name="yt_flow_ended_has_time",
                condition=Q(status__in=_FLOW_LIVE, ended_at__isnull=True)
                | (~Q(status__in=_FLOW_LIVE) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(fields=["root_id"], name="yt_flow_root"),
            models.Index(fields=["parent_step_id"], name="yt_flow_parent", condition=Q(parent_step_id__isnull=False)),
            models.Index(fields=["ended_at"], name="yt_flow_ended", condition=Q(parent_step_id__isnull=True)),
            models.Index(fields=["deadline_at"], name="yt_flow_deadline", condition=Q(status="running")),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk} ({self.status})"


class WorkflowStep(models.Model):
    """One step of a run, or one item of a fan-out. `todo` is: its turn has come; where it has a job, that says more."""

    tenant_id = models.IntegerField()
    workflow = models.ForeignKey(
        TaskWorkflow, models.CASCADE, related_name="steps", db_constraint=False, db_index=False
    )
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16)
    status = models.CharField(max_length=16)
    needs_all = models.BooleanField(default=True, db_default=True)
    edge_count = models.IntegerField(default=0, db_default=0)
    pending = models.IntegerField(default=0, db_default=0, help_text="edges whose step before has not ended")
    met = models.IntegerField(default=0, db_default=0, help_text="edges that are satisfied")
    task_name = models.CharField(max_length=128, default="", db_default="")
    queue_name = models.CharField(max_length=128, default="", db_default="")
    priority = models.IntegerField(default=0, db_default=0, help_text="as the job's column has it: larger goes first")
    args = models.JSONField(null=True)
    refs = models.JSONField(null=True, help_text="arguments that stand for a result: name -> reference")
    lock = models.TextField(null=True)  # noqa: DJ001 - as the job's column
    only_if = models.JSONField(null=True, help_text="a reference and what it must be, or the step is skipped")
    wait_s = models.FloatField(null=True)
    run_after = models.DateTimeField(null=True)
    over = models.JSONField(null=True, help_text="of a fan-out: [{args, lock}], or a reference to a list")
    item = models.CharField(max_length=128, default="", db_default="")
    group_id = models.BigIntegerField(null=True, help_text="of an item: its fan-out")
    item_index = models.IntegerField(null=True)
    open_items = models.IntegerField(null=True)
    failed_items = models.IntegerField(null=True)
    timeout_s = models.FloatField(null=True)
    timeout_at = models.DateTimeField(null=True)
    job_id = models.BigIntegerField(null=True, help_text="its job, which leaves the queue when it ends")
    result = models.JSONField(null=True)
    error_class = models.TextField(default="", db_default="")
    error_message = models.TextField(default="", db_default="")
    released_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "workflow", "id"], name="yt_step_of_run"),
            models.UniqueConstraint(
                fields=["tenant_id", "workflow", "name"], name="yt_step_name_once", condition=Q(group_id__isnull=True)
            ),
            models.CheckConstraint(name="yt_step_status_word", condition=Q(status__in=STEP_STATUSES)),
            models.CheckConstraint(
                name="yt_step_kind_word", condition=Q(kind__in=["task", "fan_out", "item", "sub", "signal"])
            ),
            models.CheckConstraint(
                name="yt_step_ended_has_time",
                condition=Q(status__in=_STEP_LIVE, ended_at__isnull=True)
                | (~Q(status__in=_STEP_LIVE) & Q(ended_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="yt_step_counts", condition=Q(pending__gte=0, met__gte=0, met__lte=F("edge_count"))
            ),
        ]
        indexes = [
            models.Index(fields=["job_id"], name="yt_step_job", condition=Q(job_id__isnull=False)),
            models.Index(fields=["group_id", "item_index"], name="yt_step_items", condition=Q(group_id__isnull=False)),
            models.Index(
                fields=["timeout_at"], name="yt_step_timeout", condition=Q(status="todo", timeout_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


class TaskDependency(models.Model):
    """One edge: `child` waits for `parent`. Both are steps of one run of one tenant, by foreign key."""

    tenant_id = models.IntegerField()
    workflow = models.ForeignKey(
        TaskWorkflow, models.CASCADE, related_name="edges", db_constraint=False, db_index=False
    )
    parent = models.ForeignKey(
        WorkflowStep, models.CASCADE, related_name="edges_out", db_constraint=False, db_index=False
    )
    child = models.ForeignKey(
        WorkflowStep, models.CASCADE, related_name="edges_in", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=16)

    class Meta:
        verbose_name_plural = "task dependencies"
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "workflow", "parent", "child"], name="yt_edge_once"),
            models.CheckConstraint(
                name="yt_edge_kind_word", condition=Q(kind__in=["success", "completion", "failure"])
            ),
            models.CheckConstraint(name="yt_edge_no_loop", condition=~Q(parent=F("child"))),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "workflow", "child"], name="yt_edge_child"),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} -{self.kind}-> {self.child_id}"


class WorkflowSignal(models.Model):
    """A signal that somebody sent to a run: the first of its name counts."""

    tenant_id = models.IntegerField()
    workflow = models.ForeignKey(
        TaskWorkflow, models.CASCADE, related_name="signals", db_constraint=False, db_index=False
    )
    name = models.CharField(max_length=200)
    payload = models.JSONField(null=True)
    sent_at = models.DateTimeField(db_default=Now())
    sent_by = models.CharField(max_length=200, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "workflow", "name"], name="yt_signal_once")]

    def __str__(self) -> str:
        return f"{self.name} for {self.workflow_id}"


class TemplateQuerySet(models.QuerySet["WorkflowTemplate"]):
    """Named questions about stored definitions."""

    def for_tenant(self, tenant_id: int | None) -> TemplateQuerySet:
        """What this tenant may start: its own and everybody's (tenant 0); None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id__in=[0, tenant_id])


class WorkflowTemplate(models.Model):
    """A definition as data, by name and version; a version is never changed."""

    tenant_id = models.IntegerField(help_text="0: everybody's")
    name = models.CharField(max_length=200)
    version = models.IntegerField()
    definition: models.JSONField[Any, Any] = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200, default="", db_default="")

    objects = TemplateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "name", "version"], name="yt_template_version_once"),
            models.CheckConstraint(name="yt_template_version_from_one", condition=Q(version__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
