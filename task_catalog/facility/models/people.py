"""Who works: people, groups of people and groups of sites."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from .columns import MobileRow, Stamped

NO_PICTURE = "master/people/blank.png"


class People(Stamped, MobileRow):
    """A person. `peoplecode` is unique per site only, so look it up together with the client (D22)."""

    peoplecode = models.CharField(max_length=50)
    peoplename = models.CharField(max_length=120)
    loginid = models.CharField(max_length=50, default="")
    email = models.CharField(max_length=254, default="")
    mobno = models.CharField(max_length=254, default="")
    isadmin = models.BooleanField(default=False)
    isverified = models.BooleanField(default=False)
    enable = models.BooleanField(default=True)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    designation = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    worktype = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    department = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    peopleimg = models.CharField(max_length=255, default=NO_PICTURE)
    people_extras = models.JSONField(default=dict)

    class Meta:
        db_table = "people"
        constraints = [
            models.UniqueConstraint(fields=["peoplecode", "bu"], name="people_code_bu_unique", nulls_distinct=False),
            models.UniqueConstraint("loginid", condition=~Q(loginid=""), name="people_loginid_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.peoplename} ({self.peoplecode})"


class Pgroup(Stamped):
    """A group: of people (`identifier` PEOPLEGROUP) or of sites (SITEGROUP)."""

    groupname = models.CharField(max_length=250)
    identifier = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    enable = models.BooleanField(default=True)

    class Meta:
        db_table = "pgroup"
        constraints = [
            models.UniqueConstraint(
                fields=["groupname", "identifier", "client"],
                name="pgroup_name_kind_client_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return self.groupname


class Pgbelonging(Stamped):
    """A member of a group: a person (`assignsites` is NONE) or a site (`people` is NONE)."""

    pgroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    assignsites = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+")
    isgrouplead = models.BooleanField(default=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "pgbelonging"
        constraints = [
            models.UniqueConstraint(
                fields=["pgroup", "people", "assignsites", "client"],
                name="pgbelonging_member_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"group {self.pgroup_id}: person {self.people_id}, site {self.assignsites_id}"
