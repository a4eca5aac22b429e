import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """When and why a tenant left, who belongs to it, and no tenant row goes while jobs of it are there.

    Lock: a moment on the tenants. Reverse: drops the columns and the memberships.
    """

    dependencies = [
        ("youtility_tasks", "0013_audit"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("tenant", "deactivated_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("tenant", "deactivated_reason", models.TextField(blank=True, db_default="", default="")),
        migrations.CreateModel(
            name="TenantMembership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "viewer: sees the tenant's jobs"),
                            ("operator", "operator: retries, cancels, pauses"),
                            ("admin", "admin: changes schedules and limits"),
                        ],
                        default="viewer",
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="youtility_tasks.tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="task_memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "permissions": [("ops", "Operates every tenant's jobs, without seeing their contents")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "user"), name="yt_membership_once"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["viewer", "operator", "admin"])),
                        name="yt_membership_role_word",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            frozen("0014_tenants.sql"),
            "DROP TRIGGER youtility_tasks_keep_tenant ON youtility_tasks_tenant;"
            "DROP FUNCTION youtility_tasks_keep_tenant_v1, youtility_tasks_stop_stragglers_v1;",
        ),
    ]
