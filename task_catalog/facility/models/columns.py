"""Columns that many tables share: who touched the row and when, the device's key, places without PostGIS.

Foreign keys are `related_name="+"` throughout: tasks reach rows through the mapping of `task_catalog.entities`, and the
reverse names of another application's models would differ. They have no index unless something reads by them.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.postgres.functions import RandomUUID
from django.db import models

UNKNOWN_OFFSET = -1
"""`ctzoffset` of a row whose wall clock is not known; any other value is minutes east of UTC."""


class LatLngField(models.CharField):  # type: ignore[type-arg]
    """A point as text, "latitude,longitude" in degrees; null when nobody knows it."""

    description = "A point, 'latitude,longitude'"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 60
        super().__init__(*args, **kwargs)


class LatLngPathField(models.TextField):  # type: ignore[type-arg]
    """Points as text, each "latitude,longitude", separated by one blank; a polygon is not closed by its first point."""

    description = "Points, 'latitude,longitude latitude,longitude'"


class Stamped(models.Model):
    """Who made and last changed a row, when (UTC), and in which wall clock.

    `cdtz` and `mdtz` have no default: who writes a row says when, by the clock port, or the played day would be
    mixed with the real one.
    """

    cuser = models.ForeignKey("facility.People", models.RESTRICT, null=True, related_name="+", db_index=False)
    muser = models.ForeignKey("facility.People", models.RESTRICT, null=True, related_name="+", db_index=False)
    cdtz = models.DateTimeField()
    mdtz = models.DateTimeField()
    ctzoffset = models.IntegerField(default=UNKNOWN_OFFSET)

    class Meta:
        abstract = True


class MobileRow(models.Model):
    """A row that a device may have made: `uuid` is the device's own key, the natural one to upsert by."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, db_default=RandomUUID())

    class Meta:
        abstract = True
