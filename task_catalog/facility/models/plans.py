"""What should happen and what did: plans (Job), their dated occurrences (Jobneed), the answers, the reminders."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from .columns import LatLngField, LatLngPathField, MobileRow, Stamped
from .sentinel_id import NONE_ID

ROOT = Q(parent__isnull=True) | Q(parent=NONE_ID)
"""A row that hangs under nothing: NULL or the NONE row."""

NEVER_CRON = "* * * * *"
"""The cron of a plan that is not scheduled."""


class Identifier(models.TextChoices):
    """Which kind of work a plan or an occurrence is."""

    TASK = "TASK"
    TICKET = "TICKET"
    INTERNALTOUR = "INTERNALTOUR"
    EXTERNALTOUR = "EXTERNALTOUR"
    PPM = "PPM"
    SITEREPORT = "SITEREPORT"
    INCIDENTREPORT = "INCIDENTREPORT"
    ASSETLOG = "ASSETLOG"
    ASSETMAINTENANCE = "ASSETMAINTENANCE"
    ASSETAUDIT = "ASSETAUDIT"
    POSTING_ORDER = "POSTING_ORDER"
    GEOFENCE = "GEOFENCE"
    OTHER = "OTHER"


class Job(Stamped):
    """A recurring plan: what, where, by whom, and a cron in the row's own wall clock.

    `planduration`, `gracetime` and `expirytime` are minutes. A tour's checkpoints are child rows (`parent` is the tour)
    whose `expirytime` is the minutes needed to reach them. `sgroup` is a site group, for tours from site to site.
    """

    jobname = models.CharField(max_length=200)
    jobdesc = models.CharField(max_length=500, default="")
    identifier = models.CharField(max_length=100, choices=Identifier, default=Identifier.OTHER)
    fromdate = models.DateTimeField(null=True)
    uptodate = models.DateTimeField(null=True)
    cron = models.CharField(max_length=200, default=NEVER_CRON)
    planduration = models.IntegerField(default=0)
    gracetime = models.IntegerField(default=0)
    expirytime = models.IntegerField(default=0)
    lastgeneratedon = models.DateTimeField(null=True)
    asset = models.ForeignKey("Asset", models.RESTRICT, null=True, related_name="+", db_index=False)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+")
    pgroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    sgroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    geofence = models.ForeignKey("GeofenceMaster", models.RESTRICT, null=True, related_name="+", db_index=False)
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+")
    seqno = models.SmallIntegerField(default=0)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    ticketcategory = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    scantype = models.CharField(max_length=50, default="SKIP")
    frequency = models.CharField(max_length=55, default="NONE")
    priority = models.CharField(max_length=100, default="LOW")
    starttime = models.TimeField(null=True)
    endtime = models.TimeField(null=True)
    enable = models.BooleanField(default=True)
    other_info = models.JSONField(default=dict)

    class Meta:
        db_table = "job"
        constraints = [
            models.UniqueConstraint(
                fields=["jobname", "asset", "qset", "parent", "identifier", "client"],
                name="job_name_asset_qset_parent_identifier_client_unique",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(planduration__gte=0, gracetime__gte=0, expirytime__gte=0), name="job_minutes_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["client", "identifier", "id"], condition=ROOT & Q(enable=True), name="job_live_roots")
        ]

    def __str__(self) -> str:
        return f"{self.jobname} ({self.pk})"


class Jobneed(Stamped, MobileRow):
    """One dated occurrence of a plan, to be done between `plandatetime` and `expirydatetime` (both UTC).

    A tour's checkpoints are child rows: `parent` is the tour's row, `job` is the tour's plan.
    """

    class JobType(models.TextChoices):
        SCHEDULE = "SCHEDULE"
        ADHOC = "ADHOC"

    class JobStatus(models.TextChoices):
        ASSIGNED = "ASSIGNED"
        INPROGRESS = "INPROGRESS"
        COMPLETED = "COMPLETED"
        PARTIALLYCOMPLETED = "PARTIALLYCOMPLETED"
        AUTOCLOSED = "AUTOCLOSED"
        MAINTENANCE = "MAINTENANCE"
        STANDBY = "STANDBY"
        WORKING = "WORKING"

    jobdesc = models.CharField(max_length=200)
    plandatetime = models.DateTimeField(null=True)
    expirydatetime = models.DateTimeField(null=True)
    gracetime = models.IntegerField(default=0)
    receivedonserver = models.DateTimeField(null=True)
    starttime = models.DateTimeField(null=True)
    endtime = models.DateTimeField(null=True)
    gpslocation = LatLngField(null=True)
    journeypath = LatLngPathField(default="")
    remarks = models.TextField(default="")
    asset = models.ForeignKey("Asset", models.RESTRICT, null=True, related_name="+", db_index=False)
    job = models.ForeignKey("Job", models.RESTRICT, null=True, related_name="+", db_index=False)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    pgroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    sgroup = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    performedby = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    priority = models.CharField(max_length=50, default="LOW")
    scantype = models.CharField(max_length=50, default="SKIP")
    frequency = models.CharField(max_length=55, default="NONE")
    identifier = models.CharField(max_length=50, choices=Identifier, default=Identifier.OTHER)
    jobtype = models.CharField(max_length=50, choices=JobType, default=JobType.SCHEDULE)
    jobstatus = models.CharField(max_length=60, choices=JobStatus, default=JobStatus.ASSIGNED)
    parent = models.ForeignKey("self", models.RESTRICT, null=True, related_name="+", db_index=False)
    seqno = models.SmallIntegerField(default=0)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    ticketcategory = models.ForeignKey("TypeAssist", models.RESTRICT, null=True, related_name="+", db_index=False)
    ticket = models.ForeignKey("Ticket", models.RESTRICT, null=True, related_name="+", db_index=False)
    multifactor = models.DecimalField(max_digits=10, decimal_places=6, default=1)
    alerts = models.BooleanField(default=False)
    ismailsent = models.BooleanField(default=False)
    raisedtktflag = models.BooleanField(default=False)
    attachmentcount = models.IntegerField(default=0)
    deviation = models.BooleanField(default=False)
    other_info = models.JSONField(default=dict)

    class Meta:
        db_table = "jobneed"
        constraints = [
            models.UniqueConstraint(
                fields=["job", "plandatetime"], condition=ROOT & Q(jobtype="SCHEDULE"), name="jobneed_planned_once"
            )
        ]
        indexes = [
            models.Index(fields=["parent", "seqno"], name="jobneed_children"),
            models.Index(fields=["job", "plandatetime"], name="jobneed_job_plan"),
            models.Index(
                fields=["client", "jobstatus", "expirydatetime"],
                condition=ROOT & Q(jobstatus__in=["ASSIGNED", "INPROGRESS", "AUTOCLOSED"]),
                name="jobneed_may_be_due",
            ),
            models.Index(fields=["client", "bu", "plandatetime"], condition=ROOT, name="jobneed_site_day"),
        ]

    def __str__(self) -> str:
        return f"{self.jobdesc} ({self.pk})"


class JobneedDetails(Stamped, MobileRow):
    """One question of an occurrence and, once somebody was there, its answer."""

    jobneed = models.ForeignKey("Jobneed", models.RESTRICT, null=True, related_name="+", db_index=False)
    seqno = models.SmallIntegerField(default=0)
    question = models.ForeignKey("Question", models.RESTRICT, null=True, related_name="+", db_index=False)
    answertype = models.CharField(max_length=50, default="NONE")
    answer = models.CharField(max_length=250, null=True)  # noqa: DJ001 - null: not asked yet; "" is an answer
    min = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    max = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    alerton = models.CharField(max_length=300, default="")
    options = models.TextField(default="")
    isavpt = models.BooleanField(default=False)
    avpttype = models.CharField(max_length=50, default="NONE")
    ismandatory = models.BooleanField(default=True)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    alerts = models.BooleanField(default=False)
    attachmentcount = models.IntegerField(default=0)

    class Meta:
        db_table = "jobneeddetails"
        indexes = [models.Index(fields=["jobneed", "seqno"], name="jobneeddetails_jobneed")]

    def __str__(self) -> str:
        return f"occurrence {self.jobneed_id}, question {self.question_id}"


class Reminder(Stamped):
    """A mail to be sent before an occurrence; `reminderbefore` times `reminderin` (MINUTE, HOUR, DAY, WEEK) before.

    The database itself refuses to delete an occurrence that still has reminders (the migration adds that constraint;
    Django's own foreign keys only look at commit).
    """

    class Status(models.TextChoices):
        PENDING = ""
        SUCCESS = "SUCCESS"
        FAILED = "FAILED"

    description = models.TextField(default="")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    asset = models.ForeignKey("Asset", models.RESTRICT, null=True, related_name="+", db_index=False)
    qset = models.ForeignKey("QuestionSet", models.RESTRICT, null=True, related_name="+", db_index=False)
    people = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    group = models.ForeignKey("Pgroup", models.RESTRICT, null=True, related_name="+", db_index=False)
    priority = models.CharField(max_length=50, default="LOW")
    reminderdate = models.DateTimeField()
    reminderin = models.CharField(max_length=20)
    reminderbefore = models.IntegerField()
    job = models.ForeignKey("Job", models.RESTRICT, null=True, related_name="+")
    jobneed = models.ForeignKey("Jobneed", models.RESTRICT, null=True, related_name="+", db_constraint=False)
    plandatetime = models.DateTimeField()
    mailids = models.TextField(default="")
    status = models.CharField(max_length=50, choices=Status, default=Status.PENDING, blank=True)

    class Meta:
        db_table = "reminder"
        indexes = [models.Index(F("reminderdate"), condition=~Q(status="SUCCESS"), name="reminder_to_send")]

    def __str__(self) -> str:
        return f"reminder {self.pk} of occurrence {self.jobneed_id}"
