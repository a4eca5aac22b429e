from django.db import migrations, models


class Migration(migrations.Migration):
    """Index behind "who has changed this schedule", on its page.

    Lock: whoever acts waits while the index is built, which reads the audit log once. Workers may run. Reverse: drops the index.
    """

    dependencies = [("youtility_tasks", "0037_saved_views")]
    operations = [
        migrations.AddIndex(
            "taskauditlog",
            models.Index(
                condition=models.Q(
                    (
                        "act__in",
                        (
                            "create schedule",
                            "change schedule",
                            "remove schedule",
                            "pause schedule",
                            "resume schedule",
                            "run schedule",
                        ),
                    )
                ),
                fields=["tenant_id", "target", "-id"],
                name="yt_audit_schedule",
            ),
        )
    ]
