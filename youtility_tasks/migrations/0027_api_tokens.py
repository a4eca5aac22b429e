import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from ._sql import frozen


class Migration(migrations.Migration):
    """Tokens of the HTTP API, and how many requests somebody has left.

    Lock: none that matters (a moment on tenants and users for the references). Workers may run. With the setting `roles` run
    `setup_task_queue` afterwards. Reverse: drops them, and every token with them.
    """

    dependencies = [
        ("youtility_tasks", "0026_notes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiAllowance",
            fields=[
                (
                    "who",
                    models.CharField(
                        help_text="token:7, or user:7 for a session", max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("full_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("digest", models.CharField(help_text="SHA-256 of the token, in hex", max_length=64)),
                ("name", models.CharField(help_text="what it is for", max_length=100)),
                (
                    "username",
                    models.CharField(help_text="what they signed in with when it was made", max_length=254),
                ),
                (
                    "role",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("viewer", "viewer: sees the tenant's jobs"),
                            ("operator", "operator: retries, cancels, pauses"),
                            ("admin", "admin: changes schedules and limits"),
                        ],
                        default="",
                        help_text="at most; empty: theirs",
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("created_by", models.CharField(default="", max_length=200)),
                ("expires_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(blank=True, help_text="to the minute", null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_by", models.CharField(blank=True, default="", max_length=200)),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tokens",
                        to="youtility_tasks.tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="task_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("digest",), name="yt_token_once"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["", "viewer", "operator", "admin"])), name="yt_token_role_word"
                    ),
                ],
            },
        ),
        migrations.RunSQL(frozen("0027_api_tokens.sql"), frozen("0027_api_tokens.reverse.sql")),
    ]
