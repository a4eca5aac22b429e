"""What devices and machines report: files, their own health, a machine's change of state."""

from __future__ import annotations

from django.db import models

from .columns import LatLngField, MobileRow, Stamped


class Attachment(Stamped, MobileRow):
    """A file below MEDIA_ROOT: `filepath` (ends with a slash) + `filename`; `owner` is the owning row's uuid."""

    owner = models.CharField(max_length=255, default="")
    ownername = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    filepath = models.CharField(max_length=100, default="")
    filename = models.CharField(max_length=255, default="")
    attachmenttype = models.CharField(max_length=55, default="NONE")
    size = models.IntegerField(default=0)
    gpslocation = LatLngField(null=True)
    datetime = models.DateTimeField(null=True)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "attachment"
        indexes = [models.Index(fields=["owner", "cdtz"], name="attachment_owner")]

    def __str__(self) -> str:
        return f"{self.filepath}{self.filename}"


class DeviceEventlog(MobileRow):
    """How a device is: battery, signal, storage, whether its place can be believed."""

    deviceid = models.CharField(max_length=55, default="")
    eventvalue = models.CharField(max_length=50, default="")
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    gpslocation = LatLngField(null=True)
    locationserviceenabled = models.BooleanField(default=False)
    islocationmocked = models.BooleanField(default=False)
    batterylevel = models.CharField(max_length=50, default="")
    signalstrength = models.CharField(max_length=50, default="")
    availintmemory = models.CharField(max_length=50, default="")
    availextmemory = models.CharField(max_length=50, default="")
    signalbandwidth = models.CharField(max_length=50, default="")
    androidosversion = models.CharField(max_length=50, default="")
    applicationversion = models.CharField(max_length=50, default="")
    networkprovidername = models.CharField(max_length=55, default="")
    modelname = models.CharField(max_length=50, default="")
    installedapps = models.TextField(default="")
    stepcount = models.CharField(max_length=55, default="")
    receivedon = models.DateTimeField(null=True)
    cdtz = models.DateTimeField()
    mdtz = models.DateTimeField()
    ctzoffset = models.IntegerField(default=-1)

    class Meta:
        db_table = "deviceeventlog"

    def __str__(self) -> str:
        return f"device {self.deviceid} at {self.receivedon}"


class AssetLog(MobileRow):
    """A machine went from one running status to another."""

    asset = models.ForeignKey("Asset", models.RESTRICT, null=True, related_name="+")
    oldstatus = models.CharField(max_length=50, default="")
    newstatus = models.CharField(max_length=50, default="")
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    gpslocation = LatLngField(null=True)
    cdtz = models.DateTimeField()
    ctzoffset = models.IntegerField(default=-1)

    class Meta:
        db_table = "assetlog"

    def __str__(self) -> str:
        return f"asset {self.asset_id}: {self.oldstatus} to {self.newstatus}"
