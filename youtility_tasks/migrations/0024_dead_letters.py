import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen, reworded

# Within a literal of SQL: quotes are doubled.
FAILED_AT = "failed_at = CASE WHEN {row}.verdict = ''failed'' THEN clock_timestamp() END,"
FINGERPRINT = "\n               fingerprint = CASE WHEN {row}.verdict = ''failed'' THEN youtility_tasks_fingerprint_v1({error}) ELSE '''' END,"
OF_AN_ENDING = "h.task_name, h.error_class, h.error_message, h.traceback"
OF_A_RESCUE = (
    "o.task_name, '''', ''worker 0'' || CASE WHEN o.holder = ANY (died) THEN '' died'' ELSE '' fell silent'' END, ''''"
)


def _says(row: str, error: str) -> tuple[str, str]:
    return FAILED_AT.format(row=row), (FAILED_AT + FINGERPRINT).format(row=row, error=error)


def _goes_on(row: str) -> tuple[str, str]:
    return f"{row}.attempts + 1", f"{row}.attempts_before + {row}.attempts + 1"


CHANGES = {
    "youtility_tasks_finish_v2": [
        ("j.priority, j.attempts, j.args,", "j.priority, j.attempts, j.attempts_before, j.args,"),
        _goes_on("h"),
        _says("h", OF_AN_ENDING),
    ],
    "youtility_tasks_rescue_v1": [_goes_on("o"), _says("o", OF_A_RESCUE)],
    "youtility_tasks_cancel_v1": [_goes_on("g")],
    "youtility_tasks_stop_stragglers_v1": [_goes_on("d")],
    "youtility_tasks_flow_stop_v1": [_goes_on("d")],
    "youtility_tasks_retry_v1": [
        (
            "attempts = 0, crash_count = 0",
            "attempts_before = j.attempts_before + j.attempts, fingerprint = '''', attempts = 0, crash_count = 0",
        ),
    ],
}


class Migration(migrations.Migration):
    """Dead letters that are alike are found together, given new attempts at a rate, and keep on counting.

    Lock: none may read or write jobs while the index of dead letters is built, which reads the queue's table once. Workers may run. With the setting `roles` run `setup_task_queue` afterwards.
    Reverse: drops them; attempts are counted anew with each retry.
    """

    dependencies = [("youtility_tasks", "0023_order_under_policies")]
    operations = [
        migrations.CreateModel(
            name="Redrive",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.IntegerField(blank=True, help_text="none: of all tenants", null=True)),
                ("task_name", models.CharField(blank=True, default="", help_text="empty: any task", max_length=128)),
                ("queue_name", models.CharField(blank=True, default="", help_text="empty: any queue", max_length=128)),
                ("fingerprint", models.CharField(blank=True, default="", help_text="empty: any error", max_length=16)),
                ("failed_since", models.DateTimeField(blank=True, null=True)),
                (
                    "failed_until",
                    models.DateTimeField(
                        help_text="not what failed later: it began then, if nothing else was asked for"
                    ),
                ),
                (
                    "rate_per_s",
                    models.FloatField(
                        blank=True, help_text="jobs that come due each second; none: all at once", null=True
                    ),
                ),
                (
                    "edits",
                    models.JSONField(
                        blank=True, default=dict, help_text="arguments given anew, by name; marked ones sealed"
                    ),
                ),
                ("edited", models.JSONField(blank=True, default=list, help_text="their names")),
                ("key", models.CharField(help_text="digest of all of this as it was asked for", max_length=64)),
                ("reason", models.TextField(blank=True, default="")),
                ("started_by", models.CharField(max_length=200)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("total_count", models.PositiveIntegerField(help_text="letters that there were to begin with")),
                ("done_count", models.PositiveIntegerField(default=0)),
                ("refused_count", models.PositiveIntegerField(default=0)),
                ("refused", models.JSONField(blank=True, default=list, help_text="the first of these, and why")),
                (
                    "after_id",
                    models.BigIntegerField(default=0, help_text="letters up to this id are dealt with"),
                ),
                (
                    "next_at",
                    models.DateTimeField(blank=True, help_text="when the next one comes due", null=True),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "is_stopped",
                    models.BooleanField(default=False, help_text="ended by somebody before its time"),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("tenant_id", "key"),
                        name="yt_redrive_unfinished_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rate_per_s", None), ("rate_per_s__gt", 0), _connector="OR"),
                        name="yt_redrive_rate",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("edited", []),
                            models.Q(models.Q(("task_name", ""), _negated=True), ("tenant_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="yt_redrive_edits_of_one_task",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("is_stopped", False), ("ended_at__isnull", False), _connector="OR"),
                        name="yt_redrive_stopped_is_ended",
                    ),
                ],
            },
        ),
        migrations.RunSQL(frozen("0024_dead_letters.sql"), frozen("0024_dead_letters.reverse.sql")),
        *(
            migrations.RunSQL(reworded(name, changes), reworded(name, [(b, a) for a, b in changes]))
            for name, changes in CHANGES.items()
        ),
    ]
