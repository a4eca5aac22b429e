import django.db.models.functions.datetime
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Who did what, kept for good; and what clears away controls that keep nothing back.

    Lock: none that anybody notices (queuecontrol gets two columns). Workers may run. Reverse: drops the log.
    """

    dependencies = [("youtility_tasks", "0012_rescues")]
    operations = [
        migrations.AddField("queuecontrol", "paused_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("queuecontrol", "paused_by", models.CharField(blank=True, default="", max_length=200)),
        migrations.AlterField(
            "queuecontrol",
            "reason",
            models.TextField(blank=True, default="", help_text="of the pause; of the limits the audit log has it"),
        ),
        migrations.CreateModel(
            name="TaskAuditLog",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("actor", models.CharField(max_length=200)),
                (
                    "act",
                    models.CharField(
                        help_text="pause, resume, limit, cancel, retry, discard, add tenant, ...", max_length=40
                    ),
                ),
                ("target", models.CharField(max_length=300)),
                (
                    "tenant_id",
                    models.IntegerField(blank=True, help_text="none: it concerns more than one tenant", null=True),
                ),
                ("reason", models.TextField(blank=True, default="")),
                ("before", models.JSONField(blank=True, null=True)),
                ("after", models.JSONField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [models.Index(fields=["tenant_id", "-id"], name="yt_audit_tenant")],
            },
        ),
        migrations.RunSQL(frozen("0013_audit.sql"), frozen("0013_audit.reverse.sql")),
    ]
