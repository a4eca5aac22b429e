import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Workflows: runs, steps, edges, signals and templates; steps are released by triggers where a job ends.

    Lock: for a moment none may write jobs, while a column and five triggers are added. Workers of the release before may run: what
    they end releases, too. They take references for arguments, so let no workflow begin until they are gone. Reverse: drops all
    of it with its rows; jobs of steps stay as jobs.
    """

    dependencies = [
        ("youtility_tasks", "0020_schedules"),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskWorkflow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField()),
                (
                    "root_id",
                    models.BigIntegerField(help_text="the outermost run; its row's lock is the lock of all below it"),
                ),
                (
                    "parent_step_id",
                    models.BigIntegerField(help_text="of a sub-workflow: the step that it is", null=True),
                ),
                ("name", models.CharField(max_length=200)),
                ("key", models.CharField(help_text="one run of this name has it", max_length=500, null=True)),
                ("template_name", models.CharField(db_default="", default="", max_length=200)),
                ("template_version", models.IntegerField(null=True)),
                (
                    "status",
                    models.CharField(help_text="blocked: the step that it is has not been released", max_length=16),
                ),
                ("context", models.JSONField(default=dict, help_text="of the outermost run: what `start` was given")),
                (
                    "returns",
                    models.CharField(
                        db_default="", default="", help_text="the step whose result is its result", max_length=200
                    ),
                ),
                ("deadline_s", models.FloatField(null=True)),
                ("deadline_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("cancelled_at", models.DateTimeField(null=True)),
                (
                    "is_overdue",
                    models.BooleanField(db_default=False, default=False, help_text="its deadline cancelled it"),
                ),
                ("reason", models.TextField(db_default="", default="", help_text="why it was cancelled")),
                (
                    "noted",
                    models.BooleanField(
                        db_default=False, default=False, help_text="procrastinate writes its events for the jobs"
                    ),
                ),
                ("open_count", models.IntegerField(db_default=0, default=0, help_text="steps that have not ended")),
                (
                    "failed_count",
                    models.IntegerField(
                        db_default=0, default=0, help_text="steps that ended without success, by themselves"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["root_id"], name="yt_flow_root"),
                    models.Index(
                        condition=models.Q(("parent_step_id__isnull", False)),
                        fields=["parent_step_id"],
                        name="yt_flow_parent",
                    ),
                    models.Index(
                        condition=models.Q(("parent_step_id__isnull", True)), fields=["ended_at"], name="yt_flow_ended"
                    ),
                    models.Index(
                        condition=models.Q(("status", "running")), fields=["deadline_at"], name="yt_flow_deadline"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["blocked", "running", "succeeded", "failed", "cancelled", "skipped"])
                        ),
                        name="yt_flow_status_word",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("status__in", ["blocked", "running"])),
                            models.Q(
                                models.Q(("status__in", ["blocked", "running"]), _negated=True),
                                ("ended_at__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="yt_flow_ended_has_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkflowStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField()),
                ("name", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=16)),
                ("status", models.CharField(max_length=16)),
                ("needs_all", models.BooleanField(db_default=True, default=True)),
                ("edge_count", models.IntegerField(db_default=0, default=0)),
                (
                    "pending",
                    models.IntegerField(db_default=0, default=0, help_text="edges whose step before has not ended"),
                ),
                ("met", models.IntegerField(db_default=0, default=0, help_text="edges that are satisfied")),
                ("task_name", models.CharField(db_default="", default="", max_length=128)),
                ("queue_name", models.CharField(db_default="", default="", max_length=128)),
                (
                    "priority",
                    models.IntegerField(
                        db_default=0, default=0, help_text="as the job's column has it: larger goes first"
                    ),
                ),
                ("args", models.JSONField(null=True)),
                ("refs", models.JSONField(help_text="arguments that stand for a result: name -> reference", null=True)),
                ("lock", models.TextField(null=True)),
                (
                    "only_if",
                    models.JSONField(help_text="a reference and what it must be, or the step is skipped", null=True),
                ),
                ("wait_s", models.FloatField(null=True)),
                ("run_after", models.DateTimeField(null=True)),
                (
                    "over",
                    models.JSONField(help_text="of a fan-out: [{args, lock}], or a reference to a list", null=True),
                ),
                ("item", models.CharField(db_default="", default="", max_length=128)),
                ("group_id", models.BigIntegerField(help_text="of an item: its fan-out", null=True)),
                ("item_index", models.IntegerField(null=True)),
                ("open_items", models.IntegerField(null=True)),
                ("failed_items", models.IntegerField(null=True)),
                ("timeout_s", models.FloatField(null=True)),
                ("timeout_at", models.DateTimeField(null=True)),
                ("job_id", models.BigIntegerField(help_text="its job, which leaves the queue when it ends", null=True)),
                ("result", models.JSONField(null=True)),
                ("error_class", models.TextField(db_default="", default="")),
                ("error_message", models.TextField(db_default="", default="")),
                ("released_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "workflow",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="youtility_tasks.taskworkflow",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TaskDependency",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField()),
                ("kind", models.CharField(max_length=16)),
                (
                    "workflow",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edges",
                        to="youtility_tasks.taskworkflow",
                    ),
                ),
                (
                    "child",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edges_in",
                        to="youtility_tasks.workflowstep",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edges_out",
                        to="youtility_tasks.workflowstep",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "task dependencies",
            },
        ),
        migrations.CreateModel(
            name="WorkflowTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField(help_text="0: everybody's")),
                ("name", models.CharField(max_length=200)),
                ("version", models.IntegerField()),
                ("definition", models.JSONField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("created_by", models.CharField(db_default="", default="", max_length=200)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "name", "version"), name="yt_template_version_once"),
                    models.CheckConstraint(
                        condition=models.Q(("version__gte", 1)), name="yt_template_version_from_one"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkflowSignal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenant_id", models.IntegerField()),
                ("name", models.CharField(max_length=200)),
                ("payload", models.JSONField(null=True)),
                ("sent_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("sent_by", models.CharField(db_default="", default="", max_length=200)),
                (
                    "workflow",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="signals",
                        to="youtility_tasks.taskworkflow",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "workflow", "name"), name="yt_signal_once")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="workflowstep",
            index=models.Index(condition=models.Q(("job_id__isnull", False)), fields=["job_id"], name="yt_step_job"),
        ),
        migrations.AddIndex(
            model_name="workflowstep",
            index=models.Index(
                condition=models.Q(("group_id__isnull", False)), fields=["group_id", "item_index"], name="yt_step_items"
            ),
        ),
        migrations.AddIndex(
            model_name="workflowstep",
            index=models.Index(
                condition=models.Q(("status", "todo"), ("timeout_at__isnull", False)),
                fields=["timeout_at"],
                name="yt_step_timeout",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowstep",
            constraint=models.UniqueConstraint(fields=("tenant_id", "workflow", "id"), name="yt_step_of_run"),
        ),
        migrations.AddConstraint(
            model_name="workflowstep",
            constraint=models.UniqueConstraint(
                condition=models.Q(("group_id__isnull", True)),
                fields=("tenant_id", "workflow", "name"),
                name="yt_step_name_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["blocked", "todo", "succeeded", "failed", "cancelled", "aborted", "skipped"])
                ),
                name="yt_step_status_word",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["task", "fan_out", "item", "sub", "signal"])), name="yt_step_kind_word"
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at__isnull", True), ("status__in", ["blocked", "todo"])),
                    models.Q(models.Q(("status__in", ["blocked", "todo"]), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="yt_step_ended_has_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowstep",
            constraint=models.CheckConstraint(
                condition=models.Q(("met__gte", 0), ("met__lte", models.F("edge_count")), ("pending__gte", 0)),
                name="yt_step_counts",
            ),
        ),
        migrations.AddIndex(
            model_name="taskdependency",
            index=models.Index(fields=["tenant_id", "workflow", "child"], name="yt_edge_child"),
        ),
        migrations.AddConstraint(
            model_name="taskdependency",
            constraint=models.UniqueConstraint(
                fields=("tenant_id", "workflow", "parent", "child"), name="yt_edge_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="taskdependency",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["success", "completion", "failure"])), name="yt_edge_kind_word"
            ),
        ),
        migrations.AddConstraint(
            model_name="taskdependency",
            constraint=models.CheckConstraint(
                condition=models.Q(("parent", models.F("child")), _negated=True), name="yt_edge_no_loop"
            ),
        ),
        migrations.AddConstraint(
            model_name="taskworkflow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key__isnull", False)), fields=("tenant_id", "name", "key"), name="yt_flow_key_once"
            ),
        ),
        # By itself: within CreateModel it would come after all of this migration, and a foreign key below needs it.
        migrations.AddConstraint(
            model_name="taskworkflow",
            constraint=models.UniqueConstraint(fields=("tenant_id", "id"), name="yt_flow_of_tenant"),
        ),
        migrations.RunSQL(frozen("0021_workflows.sql"), frozen("0021_workflows.reverse.sql")),
    ]
