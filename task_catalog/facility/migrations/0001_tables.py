"""Create the facility company's tables; long because it is every column of thirty tables.

Lock: none on existing tables. Reverse: drops the tables and what is in them.
"""

from __future__ import annotations

import uuid

import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models

import task_catalog.facility.models.columns
import task_catalog.facility.models.tickets
import task_catalog.facility.models.workorders

# fmt: off - one line a column, as Django wrote it


class Migration(migrations.Migration):
    """Everything of `facility/models/` but what the next migrations add."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tenantname", models.CharField(max_length=50)),
                ("subdomain_prefix", models.CharField(max_length=50, unique=True)),
            ],
            options={
                "db_table": "tenants_tenant",
            },
        ),
        migrations.CreateModel(
            name="Bt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("bucode", models.CharField(max_length=30)),
                ("solid", models.CharField(default="", max_length=30)),
                ("buname", models.CharField(max_length=200)),
                ("butree", models.TextField(default="")),
                ("enable", models.BooleanField(default=True)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("bupreferences", models.JSONField(default=dict)),
                (
                    "parent",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
            ],
            options={
                "db_table": "bt",
            },
        ),
        migrations.CreateModel(
            name="GeofenceMaster",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("gfcode", models.CharField(max_length=100)),
                ("gfname", models.CharField(max_length=100)),
                ("geofence", task_catalog.facility.models.columns.LatLngPathField(default="")),
                ("enable", models.BooleanField(default=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
            ],
            options={
                "db_table": "geofencemaster",
            },
        ),
        migrations.CreateModel(
            name="Location",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("loccode", models.CharField(max_length=50)),
                ("locname", models.CharField(max_length=250)),
                ("locstatus", models.CharField(default="WORKING", max_length=50)),
                ("iscritical", models.BooleanField(default=False)),
                ("enable", models.BooleanField(default=True)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
            ],
            options={
                "db_table": "location",
            },
        ),
        migrations.CreateModel(
            name="Asset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("assetcode", models.CharField(max_length=50)),
                ("assetname", models.CharField(max_length=250)),
                (
                    "identifier",
                    models.CharField(
                        choices=[("NONE", "None"), ("ASSET", "Asset"), ("CHECKPOINT", "Checkpoint"), ("NEA", "Nea")],
                        default="NONE",
                        max_length=55,
                    ),
                ),
                (
                    "runningstatus",
                    models.CharField(
                        choices=[
                            ("WORKING", "Working"),
                            ("STANDBY", "Standby"),
                            ("MAINTENANCE", "Maintenance"),
                            ("SCRAPPED", "Scrapped"),
                        ],
                        default="WORKING",
                        max_length=55,
                    ),
                ),
                ("enable", models.BooleanField(default=True)),
                ("iscritical", models.BooleanField(default=False)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("asset_json", models.JSONField(default=dict)),
                (
                    "parent",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.asset",
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.location",
                    ),
                ),
            ],
            options={
                "db_table": "asset",
            },
        ),
        migrations.CreateModel(
            name="People",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("peoplecode", models.CharField(max_length=50)),
                ("peoplename", models.CharField(max_length=120)),
                ("loginid", models.CharField(default="", max_length=50)),
                ("email", models.CharField(default="", max_length=254)),
                ("mobno", models.CharField(default="", max_length=254)),
                ("isadmin", models.BooleanField(default=False)),
                ("isverified", models.BooleanField(default=False)),
                ("enable", models.BooleanField(default=True)),
                ("peopleimg", models.CharField(default="master/people/blank.png", max_length=255)),
                ("people_extras", models.JSONField(default=dict)),
                (
                    "bu",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "people",
            },
        ),
        migrations.AddField(
            model_name="location",
            name="cuser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.AddField(
            model_name="location",
            name="muser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("jobname", models.CharField(max_length=200)),
                ("jobdesc", models.CharField(default="", max_length=500)),
                (
                    "identifier",
                    models.CharField(
                        choices=[
                            ("TASK", "Task"),
                            ("TICKET", "Ticket"),
                            ("INTERNALTOUR", "Internaltour"),
                            ("EXTERNALTOUR", "Externaltour"),
                            ("PPM", "Ppm"),
                            ("SITEREPORT", "Sitereport"),
                            ("INCIDENTREPORT", "Incidentreport"),
                            ("ASSETLOG", "Assetlog"),
                            ("ASSETMAINTENANCE", "Assetmaintenance"),
                            ("ASSETAUDIT", "Assetaudit"),
                            ("POSTING_ORDER", "Posting Order"),
                            ("GEOFENCE", "Geofence"),
                            ("OTHER", "Other"),
                        ],
                        default="OTHER",
                        max_length=100,
                    ),
                ),
                ("fromdate", models.DateTimeField(null=True)),
                ("uptodate", models.DateTimeField(null=True)),
                ("cron", models.CharField(default="* * * * *", max_length=200)),
                ("planduration", models.IntegerField(default=0)),
                ("gracetime", models.IntegerField(default=0)),
                ("expirytime", models.IntegerField(default=0)),
                ("lastgeneratedon", models.DateTimeField(null=True)),
                ("seqno", models.SmallIntegerField(default=0)),
                ("scantype", models.CharField(default="SKIP", max_length=50)),
                ("frequency", models.CharField(default="NONE", max_length=55)),
                ("priority", models.CharField(default="LOW", max_length=100)),
                ("starttime", models.TimeField(null=True)),
                ("endtime", models.TimeField(null=True)),
                ("enable", models.BooleanField(default=True)),
                ("other_info", models.JSONField(default=dict)),
                (
                    "asset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.asset",
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "geofence",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.geofencemaster",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.job"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.people"
                    ),
                ),
            ],
            options={
                "db_table": "job",
            },
        ),
        migrations.AddField(
            model_name="geofencemaster",
            name="alerttopeople",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.AddField(
            model_name="geofencemaster",
            name="cuser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.AddField(
            model_name="geofencemaster",
            name="muser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.CreateModel(
            name="GeneratePDF",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("document_type", models.CharField(default="", max_length=100)),
                ("company", models.CharField(default="", max_length=100)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "generatepdf",
            },
        ),
        migrations.CreateModel(
            name="DeviceEventlog",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("deviceid", models.CharField(default="", max_length=55)),
                ("eventvalue", models.CharField(default="", max_length=50)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("locationserviceenabled", models.BooleanField(default=False)),
                ("islocationmocked", models.BooleanField(default=False)),
                ("batterylevel", models.CharField(default="", max_length=50)),
                ("signalstrength", models.CharField(default="", max_length=50)),
                ("availintmemory", models.CharField(default="", max_length=50)),
                ("availextmemory", models.CharField(default="", max_length=50)),
                ("signalbandwidth", models.CharField(default="", max_length=50)),
                ("androidosversion", models.CharField(default="", max_length=50)),
                ("applicationversion", models.CharField(default="", max_length=50)),
                ("networkprovidername", models.CharField(default="", max_length=55)),
                ("modelname", models.CharField(default="", max_length=50)),
                ("installedapps", models.TextField(default="")),
                ("stepcount", models.CharField(default="", max_length=55)),
                ("receivedon", models.DateTimeField(null=True)),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "deviceeventlog",
            },
        ),
        migrations.AddField(
            model_name="bt",
            name="cuser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.AddField(
            model_name="bt",
            name="muser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.AddField(
            model_name="bt",
            name="siteincharge",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.CreateModel(
            name="AssetLog",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("oldstatus", models.CharField(default="", max_length=50)),
                ("newstatus", models.CharField(default="", max_length=50)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("cdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "asset",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.asset"
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "assetlog",
            },
        ),
        migrations.AddField(
            model_name="asset",
            name="cuser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.AddField(
            model_name="asset",
            name="muser",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.people",
            ),
        ),
        migrations.CreateModel(
            name="Approver",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "approverfor",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                (
                    "sites",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                ("forallsites", models.BooleanField(default=True)),
                ("identifier", models.CharField(default="APPROVER", max_length=50)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "approver",
            },
        ),
        migrations.CreateModel(
            name="Pgroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("groupname", models.CharField(max_length=250)),
                ("enable", models.BooleanField(default=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "pgroup",
            },
        ),
        migrations.CreateModel(
            name="Jobneed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("jobdesc", models.CharField(max_length=200)),
                ("plandatetime", models.DateTimeField(null=True)),
                ("expirydatetime", models.DateTimeField(null=True)),
                ("gracetime", models.IntegerField(default=0)),
                ("receivedonserver", models.DateTimeField(null=True)),
                ("starttime", models.DateTimeField(null=True)),
                ("endtime", models.DateTimeField(null=True)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("journeypath", task_catalog.facility.models.columns.LatLngPathField(default="")),
                ("remarks", models.TextField(default="")),
                ("priority", models.CharField(default="LOW", max_length=50)),
                ("scantype", models.CharField(default="SKIP", max_length=50)),
                ("frequency", models.CharField(default="NONE", max_length=55)),
                (
                    "identifier",
                    models.CharField(
                        choices=[
                            ("TASK", "Task"),
                            ("TICKET", "Ticket"),
                            ("INTERNALTOUR", "Internaltour"),
                            ("EXTERNALTOUR", "Externaltour"),
                            ("PPM", "Ppm"),
                            ("SITEREPORT", "Sitereport"),
                            ("INCIDENTREPORT", "Incidentreport"),
                            ("ASSETLOG", "Assetlog"),
                            ("ASSETMAINTENANCE", "Assetmaintenance"),
                            ("ASSETAUDIT", "Assetaudit"),
                            ("POSTING_ORDER", "Posting Order"),
                            ("GEOFENCE", "Geofence"),
                            ("OTHER", "Other"),
                        ],
                        default="OTHER",
                        max_length=50,
                    ),
                ),
                (
                    "jobtype",
                    models.CharField(
                        choices=[("SCHEDULE", "Schedule"), ("ADHOC", "Adhoc")], default="SCHEDULE", max_length=50
                    ),
                ),
                (
                    "jobstatus",
                    models.CharField(
                        choices=[
                            ("ASSIGNED", "Assigned"),
                            ("INPROGRESS", "Inprogress"),
                            ("COMPLETED", "Completed"),
                            ("PARTIALLYCOMPLETED", "Partiallycompleted"),
                            ("AUTOCLOSED", "Autoclosed"),
                            ("MAINTENANCE", "Maintenance"),
                            ("STANDBY", "Standby"),
                            ("WORKING", "Working"),
                        ],
                        default="ASSIGNED",
                        max_length=60,
                    ),
                ),
                ("seqno", models.SmallIntegerField(default=0)),
                ("multifactor", models.DecimalField(decimal_places=6, default=1, max_digits=10)),
                ("alerts", models.BooleanField(default=False)),
                ("ismailsent", models.BooleanField(default=False)),
                ("raisedtktflag", models.BooleanField(default=False)),
                ("attachmentcount", models.IntegerField(default=0)),
                ("deviation", models.BooleanField(default=False)),
                ("other_info", models.JSONField(default=dict)),
                (
                    "asset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.asset",
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.job",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.jobneed",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "performedby",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "pgroup",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.pgroup",
                    ),
                ),
                (
                    "sgroup",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.pgroup",
                    ),
                ),
            ],
            options={
                "db_table": "jobneed",
            },
        ),
        migrations.AddField(
            model_name="job",
            name="pgroup",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.pgroup",
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="sgroup",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.pgroup",
            ),
        ),
        migrations.AddField(
            model_name="geofencemaster",
            name="alerttogroup",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.pgroup",
            ),
        ),
        migrations.CreateModel(
            name="Question",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("quesname", models.CharField(max_length=200)),
                ("answertype", models.CharField(default="NONE", max_length=55)),
                ("options", models.TextField(default="")),
                ("min", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("max", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("alerton", models.CharField(default="", max_length=300)),
                ("enable", models.BooleanField(default=True)),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "question",
            },
        ),
        migrations.CreateModel(
            name="QuestionSet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("qsetname", models.CharField(max_length=200)),
                ("type", models.CharField(default="CHECKLIST", max_length=50)),
                ("seqno", models.SmallIntegerField(default=1)),
                ("enable", models.BooleanField(default=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
            ],
            options={
                "db_table": "questionset",
            },
        ),
        migrations.CreateModel(
            name="JobneedDetails",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("seqno", models.SmallIntegerField(default=0)),
                ("answertype", models.CharField(default="NONE", max_length=50)),
                ("answer", models.CharField(max_length=250, null=True)),
                ("min", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("max", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("alerton", models.CharField(default="", max_length=300)),
                ("options", models.TextField(default="")),
                ("isavpt", models.BooleanField(default=False)),
                ("avpttype", models.CharField(default="NONE", max_length=50)),
                ("ismandatory", models.BooleanField(default=True)),
                ("alerts", models.BooleanField(default=False)),
                ("attachmentcount", models.IntegerField(default=0)),
                (
                    "jobneed",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.jobneed",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "question",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.question",
                    ),
                ),
                (
                    "qset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
            ],
            options={
                "db_table": "jobneeddetails",
            },
        ),
        migrations.AddField(
            model_name="jobneed",
            name="qset",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.questionset",
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="qset",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.questionset",
            ),
        ),
        migrations.CreateModel(
            name="QuestionSetBelonging",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("seqno", models.SmallIntegerField(default=1)),
                ("answertype", models.CharField(max_length=50)),
                ("min", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("max", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("alerton", models.CharField(default="", max_length=300)),
                ("options", models.TextField(default="")),
                ("ismandatory", models.BooleanField(default=True)),
                ("isavpt", models.BooleanField(default=False)),
                ("avpttype", models.CharField(default="NONE", max_length=50)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "qset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
                (
                    "question",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.question",
                    ),
                ),
            ],
            options={
                "db_table": "questionsetbelonging",
            },
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("description", models.TextField(default="")),
                ("priority", models.CharField(default="LOW", max_length=50)),
                ("reminderdate", models.DateTimeField()),
                ("reminderin", models.CharField(max_length=20)),
                ("reminderbefore", models.IntegerField()),
                ("plandatetime", models.DateTimeField()),
                ("mailids", models.TextField(default="")),
                (
                    "status",
                    models.CharField(
                        blank=True,
                        choices=[("", "Pending"), ("SUCCESS", "Success"), ("FAILED", "Failed")],
                        default="",
                        max_length=50,
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.asset",
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "group",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.pgroup",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.job"
                    ),
                ),
                (
                    "jobneed",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.jobneed",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "qset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
            ],
            options={
                "db_table": "reminder",
            },
        ),
        migrations.CreateModel(
            name="ReportHistory",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("datetime", models.DateTimeField()),
                ("export_type", models.CharField(max_length=55)),
                ("report_name", models.CharField(max_length=100)),
                ("params", models.JSONField(default=dict)),
                ("has_data", models.BooleanField(default=True)),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("cc_mails", models.CharField(default="", max_length=250)),
                ("to_mails", models.CharField(default="", max_length=250)),
                ("email_body", models.CharField(default="", max_length=500)),
                ("traceback", models.TextField(default="")),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "report_history",
            },
        ),
        migrations.CreateModel(
            name="ScheduleReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("report_type", models.CharField(max_length=50)),
                ("report_name", models.CharField(max_length=55)),
                ("report_params", models.JSONField(default=dict)),
                ("cron", models.CharField(max_length=50)),
                ("crontype", models.CharField(default="", max_length=50)),
                ("workingdays", models.CharField(default="", max_length=1)),
                ("report_sendtime", models.TimeField(null=True)),
                (
                    "to_addr",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=254), default=list, size=None
                    ),
                ),
                (
                    "cc",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=254), default=list, size=None
                    ),
                ),
                ("enable", models.BooleanField(default=True)),
                ("fromdatetime", models.DateTimeField(null=True)),
                ("uptodatetime", models.DateTimeField(null=True)),
                ("lastgeneratedon", models.DateTimeField(null=True)),
                ("filename", models.CharField(default="", max_length=200)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "schedule_report",
            },
        ),
        migrations.CreateModel(
            name="Shift",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("shiftname", models.CharField(max_length=50)),
                ("starttime", models.TimeField()),
                ("endtime", models.TimeField()),
                ("enable", models.BooleanField(default=True)),
                (
                    "bu",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "shift",
            },
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("ticketno", models.CharField(max_length=200, unique=True)),
                ("ticketdesc", models.TextField()),
                ("comments", models.CharField(default="", max_length=250)),
                ("identifier", models.CharField(default="TICKET", max_length=50)),
                ("priority", models.CharField(default="LOW", max_length=50)),
                ("modifieddatetime", models.DateTimeField(null=True)),
                ("level", models.IntegerField(default=0)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("NEW", "New"),
                            ("OPEN", "Open"),
                            ("ONHOLD", "Onhold"),
                            ("RESOLVED", "Resolved"),
                            ("CLOSED", "Closed"),
                            ("CANCELLED", "Cancelled"),
                        ],
                        default="NEW",
                        max_length=50,
                    ),
                ),
                ("ticketlog", models.JSONField(default=task_catalog.facility.models.tickets.empty_history)),
                ("isescalated", models.BooleanField(default=False)),
                (
                    "ticketsource",
                    models.CharField(
                        choices=[("SYSTEMGENERATED", "Systemgenerated"), ("USERDEFINED", "Userdefined")],
                        default="USERDEFINED",
                        max_length=50,
                    ),
                ),
                (
                    "asset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.asset",
                    ),
                ),
                (
                    "assignedtogroup",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.pgroup",
                    ),
                ),
                (
                    "assignedtopeople",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.location",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "performedby",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "qset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
            ],
            options={
                "db_table": "ticket",
            },
        ),
        migrations.AddField(
            model_name="jobneed",
            name="ticket",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.ticket",
            ),
        ),
        migrations.CreateModel(
            name="Tracking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("deviceid", models.CharField(default="", max_length=40)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("receiveddate", models.DateTimeField(null=True)),
                ("transportmode", models.CharField(default="", max_length=55)),
                ("reference", models.CharField(default="", max_length=255)),
                ("identifier", models.CharField(default="NONE", max_length=55)),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "tracking",
            },
        ),
        migrations.CreateModel(
            name="TypeAssist",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("tacode", models.CharField(max_length=50)),
                ("taname", models.CharField(max_length=100)),
                ("enable", models.BooleanField(default=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "tatype",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.typeassist",
                    ),
                ),
            ],
            options={
                "db_table": "typeassist",
            },
        ),
        migrations.AddField(
            model_name="ticket",
            name="ticketcategory",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.AddField(
            model_name="pgroup",
            name="identifier",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.CreateModel(
            name="PeopleEventlog",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                (
                    "transportmodes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                ("punchintime", models.DateTimeField(null=True)),
                ("punchouttime", models.DateTimeField(null=True)),
                ("datefor", models.DateField(null=True)),
                ("startlocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("endlocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("journeypath", task_catalog.facility.models.columns.LatLngPathField(default="")),
                ("distance", models.FloatField(null=True)),
                ("duration", models.IntegerField(null=True)),
                ("facerecognitionin", models.BooleanField(default=False)),
                ("facerecognitionout", models.BooleanField(default=False)),
                ("peventlogextras", models.JSONField(default=dict)),
                ("remarks", models.CharField(default="", max_length=500)),
                ("reference", models.CharField(default="", max_length=255)),
                ("deviceid", models.CharField(default="", max_length=50)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "geofence",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.geofencemaster",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "verifiedby",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "shift",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.shift",
                    ),
                ),
                (
                    "peventtype",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.typeassist",
                    ),
                ),
            ],
            options={
                "db_table": "peopleeventlog",
            },
        ),
        migrations.AddField(
            model_name="people",
            name="department",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.AddField(
            model_name="people",
            name="designation",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.AddField(
            model_name="people",
            name="worktype",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.AddField(
            model_name="jobneed",
            name="ticketcategory",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="ticketcategory",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.CreateModel(
            name="EscalationMatrix",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("level", models.IntegerField(default=1)),
                ("frequency", models.CharField(default="DAY", max_length=10)),
                ("frequencyvalue", models.IntegerField(null=True)),
                ("assignedfor", models.CharField(default="", max_length=50)),
                ("body", models.TextField(default="")),
                ("notify", models.CharField(default="", max_length=254)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.job"
                    ),
                ),
                (
                    "assignedperson",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "assignedgroup",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.pgroup",
                    ),
                ),
                (
                    "escalationtemplate",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.typeassist",
                    ),
                ),
            ],
            options={
                "db_table": "escalationmatrix",
            },
        ),
        migrations.AddField(
            model_name="bt",
            name="identifier",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("owner", models.CharField(default="", max_length=255)),
                ("filepath", models.CharField(default="", max_length=100)),
                ("filename", models.CharField(default="", max_length=255)),
                ("attachmenttype", models.CharField(default="NONE", max_length=55)),
                ("size", models.IntegerField(default=0)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("datetime", models.DateTimeField(null=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "ownername",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.typeassist",
                    ),
                ),
            ],
            options={
                "db_table": "attachment",
            },
        ),
        migrations.AddField(
            model_name="asset",
            name="category",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.AddField(
            model_name="asset",
            name="type",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="+",
                to="facility.typeassist",
            ),
        ),
        migrations.CreateModel(
            name="Vendor",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("code", models.CharField(max_length=50)),
                ("name", models.CharField(max_length=255)),
                ("email", models.CharField(default="", max_length=100)),
                ("mobno", models.CharField(default="", max_length=15)),
                ("description", models.TextField(default="")),
                ("show_to_all_sites", models.BooleanField(default=False)),
                ("enable", models.BooleanField(default=True)),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
            ],
            options={
                "db_table": "vendor",
            },
        ),
        migrations.CreateModel(
            name="Wom",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("description", models.CharField(max_length=200)),
                ("identifier", models.CharField(max_length=10, null=True)),
                (
                    "workstatus",
                    models.CharField(
                        choices=[
                            ("ASSIGNED", "Assigned"),
                            ("RE_ASSIGNED", "Re Assigned"),
                            ("INPROGRESS", "Inprogress"),
                            ("COMPLETED", "Completed"),
                            ("CANCELLED", "Cancelled"),
                            ("CLOSED", "Closed"),
                        ],
                        default="ASSIGNED",
                        max_length=60,
                    ),
                ),
                (
                    "workpermit",
                    models.CharField(
                        choices=[
                            ("NOT_REQUIRED", "Not Required"),
                            ("PENDING", "Pending"),
                            ("APPROVED", "Approved"),
                            ("REJECTED", "Rejected"),
                        ],
                        default="NOT_REQUIRED",
                        max_length=35,
                    ),
                ),
                (
                    "verifiers_status",
                    models.CharField(
                        choices=[
                            ("NOT_REQUIRED", "Not Required"),
                            ("PENDING", "Pending"),
                            ("APPROVED", "Approved"),
                            ("REJECTED", "Rejected"),
                        ],
                        default="NOT_REQUIRED",
                        max_length=50,
                    ),
                ),
                (
                    "approvers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                (
                    "verifiers",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                (
                    "categories",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50), default=list, size=None
                    ),
                ),
                ("seqno", models.SmallIntegerField(default=0)),
                ("priority", models.CharField(default="LOW", max_length=50)),
                ("plandatetime", models.DateTimeField(null=True)),
                ("expirydatetime", models.DateTimeField(null=True)),
                ("starttime", models.DateTimeField(null=True)),
                ("endtime", models.DateTimeField(null=True)),
                ("gpslocation", task_catalog.facility.models.columns.LatLngField(max_length=60, null=True)),
                ("alerts", models.BooleanField(default=False)),
                ("ismailsent", models.BooleanField(default=False)),
                ("isdenied", models.BooleanField(default=False)),
                ("attachmentcount", models.IntegerField(default=0)),
                ("remarks", models.JSONField(default=list)),
                ("wo_history", models.JSONField(default=task_catalog.facility.models.workorders.empty_history)),
                ("other_data", models.JSONField(default=dict)),
                (
                    "asset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.asset",
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "location",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.location",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.wom"
                    ),
                ),
                (
                    "qset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
                (
                    "ticketcategory",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.typeassist",
                    ),
                ),
                (
                    "vendor",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.vendor",
                    ),
                ),
            ],
            options={
                "db_table": "wom",
            },
        ),
        migrations.CreateModel(
            name="WomDetails",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                (
                    "uuid",
                    models.UUIDField(
                        db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, unique=True
                    ),
                ),
                ("seqno", models.SmallIntegerField(default=0)),
                ("answertype", models.CharField(default="NONE", max_length=50)),
                ("answer", models.CharField(default="", max_length=250)),
                ("min", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("max", models.DecimalField(decimal_places=4, max_digits=18, null=True)),
                ("alerton", models.CharField(default="", max_length=300)),
                ("options", models.TextField(default="")),
                ("isavpt", models.BooleanField(default=False)),
                ("avpttype", models.CharField(default="NONE", max_length=50)),
                ("ismandatory", models.BooleanField(default=True)),
                ("alerts", models.BooleanField(default=False)),
                ("attachmentcount", models.IntegerField(default=0)),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "qset",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.questionset",
                    ),
                ),
                (
                    "question",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.question",
                    ),
                ),
                (
                    "wom",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.wom"
                    ),
                ),
            ],
            options={
                "db_table": "womdetails",
            },
        ),
        migrations.CreateModel(
            name="Pgbelonging",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cdtz", models.DateTimeField()),
                ("mdtz", models.DateTimeField()),
                ("ctzoffset", models.IntegerField(default=-1)),
                ("isgrouplead", models.BooleanField(default=False)),
                (
                    "assignsites",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.RESTRICT, related_name="+", to="facility.bt"
                    ),
                ),
                (
                    "bu",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.bt",
                    ),
                ),
                (
                    "cuser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "muser",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "people",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.people",
                    ),
                ),
                (
                    "pgroup",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="facility.pgroup",
                    ),
                ),
            ],
            options={
                "db_table": "pgbelonging",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("pgroup", "people", "assignsites", "client"),
                        name="pgbelonging_member_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="question",
            constraint=models.UniqueConstraint(
                fields=("quesname", "answertype", "client"),
                name="question_name_type_client_unique",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="questionset",
            constraint=models.UniqueConstraint(
                fields=("qsetname", "parent", "type", "client", "bu"),
                name="questionset_name_parent_type_client_bu_unique",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="jobneeddetails",
            index=models.Index(fields=["jobneed", "seqno"], name="jobneeddetails_jobneed"),
        ),
        migrations.AddConstraint(
            model_name="questionsetbelonging",
            constraint=models.UniqueConstraint(
                fields=("qset", "question", "client", "bu"),
                name="questionsetbelonging_question_once",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="reminder",
            index=models.Index(
                models.F("reminderdate"),
                condition=models.Q(("status", "SUCCESS"), _negated=True),
                name="reminder_to_send",
            ),
        ),
        migrations.AddIndex(
            model_name="reporthistory",
            index=models.Index(fields=["client", "-datetime"], name="report_history_newest"),
        ),
        migrations.AddIndex(
            model_name="schedulereport",
            index=models.Index(condition=models.Q(("enable", True)), fields=["client"], name="schedule_report_enabled"),
        ),
        migrations.AddConstraint(
            model_name="typeassist",
            constraint=models.UniqueConstraint(
                fields=("tacode", "tatype", "client"), name="typeassist_code_kind_client_unique", nulls_distinct=False
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(fields=["client", "bu"], name="ticket_client_site"),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                condition=models.Q(("status__in", ["NEW", "OPEN", "ONHOLD"])),
                fields=["client", "ticketcategory", "cdtz"],
                name="ticket_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.CheckConstraint(condition=models.Q(("level__gte", 0)), name="ticket_level_not_negative"),
        ),
        migrations.AddConstraint(
            model_name="pgroup",
            constraint=models.UniqueConstraint(
                fields=("groupname", "identifier", "client"),
                name="pgroup_name_kind_client_unique",
                nulls_distinct=False,
            ),
        ),
        migrations.AddIndex(
            model_name="peopleeventlog",
            index=models.Index(fields=["client", "bu", "datefor"], name="peopleeventlog_site_day"),
        ),
        migrations.AddConstraint(
            model_name="people",
            constraint=models.UniqueConstraint(
                fields=("peoplecode", "bu"), name="people_code_bu_unique", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="people",
            constraint=models.UniqueConstraint(
                models.F("loginid"), condition=models.Q(("loginid", ""), _negated=True), name="people_loginid_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="jobneed",
            index=models.Index(fields=["parent", "seqno"], name="jobneed_children"),
        ),
        migrations.AddIndex(
            model_name="jobneed",
            index=models.Index(fields=["job", "plandatetime"], name="jobneed_job_plan"),
        ),
        migrations.AddIndex(
            model_name="jobneed",
            index=models.Index(
                condition=models.Q(
                    models.Q(("parent__isnull", True), ("parent", 1), _connector="OR"),
                    ("jobstatus__in", ["ASSIGNED", "INPROGRESS", "AUTOCLOSED"]),
                ),
                fields=["client", "jobstatus", "expirydatetime"],
                name="jobneed_may_be_due",
            ),
        ),
        migrations.AddIndex(
            model_name="jobneed",
            index=models.Index(
                condition=models.Q(("parent__isnull", True), ("parent", 1), _connector="OR"),
                fields=["client", "bu", "plandatetime"],
                name="jobneed_site_day",
            ),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(
                    models.Q(("parent__isnull", True), ("parent", 1), _connector="OR"), ("enable", True)
                ),
                fields=["client", "identifier", "id"],
                name="job_live_roots",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                fields=("jobname", "asset", "qset", "parent", "identifier", "client"),
                name="job_name_asset_qset_parent_identifier_client_unique",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(("expirytime__gte", 0), ("gracetime__gte", 0), ("planduration__gte", 0)),
                name="job_minutes_not_negative",
            ),
        ),
        migrations.AddIndex(
            model_name="escalationmatrix",
            index=models.Index(fields=["client", "escalationtemplate", "level"], name="escalationmatrix_level"),
        ),
        migrations.AddConstraint(
            model_name="escalationmatrix",
            constraint=models.CheckConstraint(
                condition=models.Q(("frequencyvalue__isnull", True), ("frequencyvalue__gte", 0), _connector="OR"),
                name="escalationmatrix_value_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="bt",
            constraint=models.UniqueConstraint(models.F("bucode"), name="bt_bucode_unique"),
        ),
        migrations.AddIndex(
            model_name="attachment",
            index=models.Index(fields=["owner", "cdtz"], name="attachment_owner"),
        ),
        migrations.AddConstraint(
            model_name="asset",
            constraint=models.UniqueConstraint(
                fields=("assetcode", "bu"), name="asset_code_bu_unique", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            model_name="vendor",
            constraint=models.UniqueConstraint(
                fields=("code", "client"), name="vendor_code_client_unique", nulls_distinct=False
            ),
        ),
        migrations.AddIndex(
            model_name="wom",
            index=models.Index(fields=["client", "bu", "identifier"], name="wom_client_site_kind"),
        ),
        migrations.AddConstraint(
            model_name="womdetails",
            constraint=models.UniqueConstraint(fields=("question", "wom"), name="womdetails_question_wom_unique"),
        ),
    ]
