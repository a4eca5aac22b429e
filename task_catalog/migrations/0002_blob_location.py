"""Create the table that says where an attachment's file went.

Lock: none on existing tables. Reverse: drops the table and what is in it.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Where the file of an attachment is, once it has left MEDIA_ROOT."""

    dependencies = [("task_catalog", "0001_tables")]

    operations = [
        migrations.CreateModel(
            name="BlobLocation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("client_id", models.BigIntegerField()),
                ("attachment_uuid", models.UUIDField()),
                ("bucket", models.CharField(max_length=200)),
                ("name", models.TextField()),
                ("size", models.BigIntegerField()),
                ("checksum", models.CharField(max_length=64)),
                ("moved_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client_id", "attachment_uuid"), name="task_catalog_blob_of_attachment"
                    )
                ],
            },
        ),
    ]
