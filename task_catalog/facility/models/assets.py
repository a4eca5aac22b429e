"""What is looked after: machines, rooms, checkpoints, and where they stand."""

from __future__ import annotations

from django.db import models

from .columns import LatLngField, MobileRow, Stamped


class Location(Stamped, MobileRow):
    """A place inside a site."""

    loccode = models.CharField(max_length=50)
    locname = models.CharField(max_length=250)
    locstatus = models.CharField(max_length=50, default="WORKING")
    iscritical = models.BooleanField(default=False)
    enable = models.BooleanField(default=True)
    gpslocation = LatLngField(null=True)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "location"

    def __str__(self) -> str:
        return f"{self.locname} ({self.loccode})"


class Asset(Stamped, MobileRow):
    """A machine or a room (ASSET), or a place that a guard scans (CHECKPOINT).

    `asset_json["multifactor"]` (1 when missing) multiplies meter readings.
    """

    class Identifier(models.TextChoices):
        NONE = "NONE"
        ASSET = "ASSET"
        CHECKPOINT = "CHECKPOINT"
        NEA = "NEA"

    class RunningStatus(models.TextChoices):
        WORKING = "WORKING"
        STANDBY = "STANDBY"
        MAINTENANCE = "MAINTENANCE"
        SCRAPPED = "SCRAPPED"

    assetcode = models.CharField(max_length=50)
    assetname = models.CharField(max_length=250)
    identifier = models.CharField(max_length=55, choices=Identifier, default=Identifier.NONE)
    runningstatus = models.CharField(max_length=55, choices=RunningStatus, default=RunningStatus.WORKING)
    enable = models.BooleanField(default=True)
    iscritical = models.BooleanField(default=False)
    type = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    category = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    location = models.ForeignKey("Location", models.RESTRICT, null=True, related_name="+", db_index=False)
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+", db_index=False)
    gpslocation = LatLngField(null=True)
    asset_json = models.JSONField(default=dict)

    class Meta:
        db_table = "asset"
        constraints = [
            models.UniqueConstraint(fields=["assetcode", "bu"], name="asset_code_bu_unique", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.assetname} ({self.assetcode})"
