import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen, reworded

_ROWS = "RETURNING j.id, j.task_name, j.queue_name, j.tenant_id;\n"


def _owes(act: str, given: str, condition: str = "FOUND") -> tuple[str, str]:
    return given, f"{given}    IF {condition} THEN\n        PERFORM youtility_tasks_owe_v1(''{act}'');\n    END IF;\n"


CHANGES = {
    "youtility_tasks_cancel_v1": _owes(
        "cancel", "    SELECT g.id, g.task_name, g.queue_name, g.tenant_id FROM gone g ORDER BY g.id;\n"
    ),
    "youtility_tasks_abort_v1": _owes("cancel", _ROWS),
    "youtility_tasks_retry_v1": _owes("retry", _ROWS),
    "youtility_tasks_redrive_v1": _owes("redrive", "        RETURN NEXT;\n    END LOOP;\n", "moved > 0"),
    # Once: a second call only finishes what the first one had to leave.
    "youtility_tasks_flow_cancel_v1": _owes(
        "cancel workflow",
        "FROM youtility_tasks_flow_stop_v1(p_flow, p_reason, false) s;\n",
        "flow.cancelled_at IS NULL",
    ),
    "youtility_tasks_flow_retry_v1": _owes("retry workflow", "    RETURN QUERY SELECT flow.status::text, again;\n"),
    "youtility_tasks_flow_signal_v1": (
        "    RETURN CASE WHEN FOUND THEN ''sent'' ELSE ''repeated'' END;\n",
        "    IF NOT FOUND THEN\n        RETURN ''repeated'';\n    END IF;\n"
        "    PERFORM youtility_tasks_owe_v1(''signal workflow'');\n    RETURN ''sent'';\n",
    ),
}
"""Acts that must be entered by the transaction they are done in, if the web or an operator does them."""


class Migration(migrations.Migration):
    """Acts on all jobs that a filter means; and no act of the web or of an operator without its row in the audit log.

    Lock: for a moment none may write the audit log and the small tables that people change. Workers may run. With the setting `roles` run
    `setup_task_queue` afterwards, or workers do none of them and nobody is guarded. Reverse: drops them.
    """

    dependencies = [
        ("youtility_tasks", "0029_metrics"),
    ]

    operations = [
        migrations.CreateModel(
            name="TaskOperation",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(blank=True, help_text="none: of all tenants", null=True)),
                (
                    "act",
                    models.CharField(help_text="retry, cancel, abort, discard, priority, run now, undo", max_length=16),
                ),
                (
                    "filter",
                    models.JSONField(blank=True, default=dict, help_text="which jobs; empty: all that the act is for"),
                ),
                (
                    "priority",
                    models.SmallIntegerField(
                        blank=True, help_text="1 (most urgent) to 10: what they are given", null=True
                    ),
                ),
                (
                    "rate_per_s",
                    models.FloatField(
                        blank=True, help_text="jobs that come due each second; none: all at once", null=True
                    ),
                ),
                ("reason", models.TextField(blank=True, default="")),
                ("started_by", models.CharField(max_length=200)),
                (
                    "started_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(),
                        help_text="what failed later is none of its jobs",
                    ),
                ),
                ("newest_id", models.BigIntegerField(help_text="jobs with larger ids are none of it")),
                (
                    "total_count",
                    models.PositiveIntegerField(
                        help_text="jobs that there were to begin with; none: not counted", null=True
                    ),
                ),
                ("done_count", models.PositiveIntegerField(default=0)),
                ("refused_count", models.PositiveIntegerField(default=0)),
                ("refused", models.JSONField(blank=True, default=list, help_text="the first of these, and why")),
                (
                    "after_id",
                    models.BigIntegerField(
                        default=0, help_text="jobs up to this id are dealt with; of an undo: batches"
                    ),
                ),
                ("next_at", models.DateTimeField(blank=True, help_text="when the next one comes due", null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("is_stopped", models.BooleanField(default=False, help_text="ended by somebody before its time")),
                (
                    "undoes",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="undone_by",
                        to="youtility_tasks.taskoperation",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="OperationBatch",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(blank=True, help_text="its operation's", null=True)),
                ("job_ids", models.JSONField(help_text="those that it found as they should be")),
                (
                    "was",
                    models.JSONField(help_text="their rows without arguments; nobody reads it but the undo", null=True),
                ),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("undone_at", models.DateTimeField(blank=True, null=True)),
                (
                    "operation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="batches",
                        to="youtility_tasks.taskoperation",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="taskoperation",
            index=models.Index(condition=models.Q(("ended_at", None)), fields=["id"], name="yt_operation_unfinished"),
        ),
        migrations.AddIndex(
            model_name="operationbatch",
            index=models.Index(
                condition=models.Q(("was__isnull", False)), fields=["operation"], name="yt_batch_undoable"
            ),
        ),
        migrations.AddConstraint(
            model_name="taskoperation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_stopped", False), ("undoes__isnull", False)),
                fields=("tenant_id", "undoes"),
                name="yt_operation_one_undo",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="taskoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("act", "undo"), ("undoes__isnull", False)),
                    models.Q(models.Q(("act", "undo"), _negated=True), ("undoes", None)),
                    _connector="OR",
                ),
                name="yt_operation_undoes",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(("rate_per_s", None), ("rate_per_s__gt", 0), _connector="OR"),
                name="yt_operation_rate",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("act", "priority"), ("priority__gte", 1), ("priority__lte", 10)),
                    models.Q(models.Q(("act", "priority"), _negated=True), ("priority", None)),
                    _connector="OR",
                ),
                name="yt_operation_priority",
            ),
        ),
        migrations.AddConstraint(
            model_name="taskoperation",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_stopped", False), ("ended_at__isnull", False), _connector="OR"),
                name="yt_operation_stopped_is_ended",
            ),
        ),
        migrations.RunSQL(frozen("0030_operations.sql"), frozen("0030_operations.reverse.sql")),
        *(
            migrations.RunSQL(reworded(name, [(was, becomes)]), reworded(name, [(becomes, was)]))
            for name, (was, becomes) in CHANGES.items()
        ),
    ]
