"""Where work happens: business units, the controlled vocabulary, shifts and fences."""

from __future__ import annotations

from django.db import models

from .columns import LatLngField, LatLngPathField, MobileRow, Stamped


class Bt(Stamped, MobileRow):
    """A business unit: a client company at the top, its sites at the leaves, regions between; one tree.

    `bucode` is unique over all clients, because a ticket's number starts with it and is unique too.
    """

    bucode = models.CharField(max_length=30)
    solid = models.CharField(max_length=30, default="")
    buname = models.CharField(max_length=200)
    identifier = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+")
    butree = models.TextField(default="")
    siteincharge = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    enable = models.BooleanField(default=True)
    gpslocation = LatLngField(null=True)
    bupreferences = models.JSONField(default=dict)

    class Meta:
        db_table = "bt"
        constraints = [models.UniqueConstraint("bucode", name="bt_bucode_unique")]

    def __str__(self) -> str:
        return f"{self.buname} ({self.bucode})"


class TypeAssist(Stamped):
    """One word of the controlled vocabulary; `tatype` is the word that names its kind."""

    tacode = models.CharField(max_length=50)
    taname = models.CharField(max_length=100)
    tatype = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+")
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    enable = models.BooleanField(default=True)

    class Meta:
        db_table = "typeassist"
        constraints = [
            models.UniqueConstraint(
                fields=["tacode", "tatype", "client"], name="typeassist_code_kind_client_unique", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.tacode


class Shift(Stamped):
    """When people of a site work, in local wall time."""

    shiftname = models.CharField(max_length=50)
    starttime = models.TimeField()
    endtime = models.TimeField()
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    enable = models.BooleanField(default=True)

    class Meta:
        db_table = "shift"

    def __str__(self) -> str:
        return self.shiftname


class GeofenceMaster(Stamped):
    """An area that somebody should, or should not, leave."""

    gfcode = models.CharField(max_length=100)
    gfname = models.CharField(max_length=100)
    geofence = LatLngPathField(default="")
    alerttopeople = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    alerttogroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    enable = models.BooleanField(default=True)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "geofencemaster"

    def __str__(self) -> str:
        return self.gfcode


class Tenant(models.Model):
    """The application's own idea of a tenant: a host name's first part. No task reads it (a client is the tenant)."""

    tenantname = models.CharField(max_length=50)
    subdomain_prefix = models.CharField(max_length=50, unique=True)

    class Meta:
        db_table = "tenants_tenant"

    def __str__(self) -> str:
        return self.tenantname
