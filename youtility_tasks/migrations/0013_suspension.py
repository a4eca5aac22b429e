from django.db import migrations, models


class Migration(migrations.Migration):
    """When and why a tenant left.

    Lock: a moment on the tenants. Reverse: drops both columns.
    """

    dependencies = [("youtility_tasks", "0012_rescues")]
    operations = [
        migrations.AddField("tenant", "deactivated_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("tenant", "deactivated_reason", models.TextField(blank=True, db_default="", default="")),
    ]
