"""Who came and went: punches with their photo's verdict, and where people walked."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from .columns import LatLngField, LatLngPathField, MobileRow, Stamped


class PeopleEventlog(Stamped, MobileRow):
    """A person's punch in and out; the verdicts of the face check are in `peventlogextras`."""

    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    shift = models.ForeignKey("Shift", models.RESTRICT, null=True, related_name="+", db_index=False)
    verifiedby = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    geofence = models.ForeignKey("GeofenceMaster", models.RESTRICT, null=True, related_name="+", db_index=False)
    peventtype = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    transportmodes = ArrayField(models.CharField(max_length=50), default=list)
    punchintime = models.DateTimeField(null=True)
    punchouttime = models.DateTimeField(null=True)
    datefor = models.DateField(null=True)
    startlocation = LatLngField(null=True)
    endlocation = LatLngField(null=True)
    journeypath = LatLngPathField(default="")
    distance = models.FloatField(null=True)
    duration = models.IntegerField(null=True)
    facerecognitionin = models.BooleanField(default=False)
    facerecognitionout = models.BooleanField(default=False)
    peventlogextras = models.JSONField(default=dict)
    remarks = models.CharField(max_length=500, default="")
    reference = models.CharField(max_length=255, default="")
    deviceid = models.CharField(max_length=50, default="")

    class Meta:
        db_table = "peopleeventlog"
        indexes = [models.Index(fields=["client", "bu", "datefor"], name="peopleeventlog_site_day")]

    def __str__(self) -> str:
        return f"person {self.people_id} on {self.datefor}"


class Tracking(MobileRow):
    """Where a device was; `reference` is the uuid of the tour or event it was on."""

    deviceid = models.CharField(max_length=40, default="")
    gpslocation = LatLngField(null=True)
    receiveddate = models.DateTimeField(null=True)
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    transportmode = models.CharField(max_length=55, default="")
    reference = models.CharField(max_length=255, default="")
    identifier = models.CharField(max_length=55, default="NONE")

    class Meta:
        db_table = "tracking"

    def __str__(self) -> str:
        return f"person {self.people_id} at {self.receiveddate}"
