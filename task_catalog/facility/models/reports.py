"""Reports: those that come by themselves, and the record of every one that was made."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from .columns import Stamped


class ScheduleReport(Stamped):
    """A report that is made again and again; the cron is in the row's own wall clock."""

    report_type = models.CharField(max_length=50)
    report_name = models.CharField(max_length=55)
    report_params = models.JSONField(default=dict)
    cron = models.CharField(max_length=50)
    crontype = models.CharField(max_length=50, default="")
    workingdays = models.CharField(max_length=1, default="")
    report_sendtime = models.TimeField(null=True)
    to_addr = ArrayField(models.CharField(max_length=254), default=list)
    cc = ArrayField(models.CharField(max_length=254), default=list)
    enable = models.BooleanField(default=True)
    fromdatetime = models.DateTimeField(null=True)
    uptodatetime = models.DateTimeField(null=True)
    lastgeneratedon = models.DateTimeField(null=True)
    filename = models.CharField(max_length=200, default="")
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "schedule_report"
        indexes = [models.Index(fields=["client"], condition=Q(enable=True), name="schedule_report_enabled")]

    def __str__(self) -> str:
        return f"{self.report_name} ({self.pk})"


class ReportHistory(models.Model):
    """One report that somebody asked for, or that a schedule made, with its failure if it failed."""

    user = models.ForeignKey("People", models.RESTRICT, null=True, related_name="+", db_index=False)
    datetime = models.DateTimeField()
    export_type = models.CharField(max_length=55)
    report_name = models.CharField(max_length=100)
    params = models.JSONField(default=dict)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    has_data = models.BooleanField(default=True)
    ctzoffset = models.IntegerField(default=-1)
    cc_mails = models.CharField(max_length=250, default="")
    to_mails = models.CharField(max_length=250, default="")
    email_body = models.CharField(max_length=500, default="")
    traceback = models.TextField(default="")

    class Meta:
        db_table = "report_history"
        indexes = [models.Index(fields=["client", "-datetime"], name="report_history_newest")]

    def __str__(self) -> str:
        return f"{self.report_name} at {self.datetime}"


class GeneratePDF(Stamped):
    """A payroll document that was marked for printing; no task reads it."""

    document_type = models.CharField(max_length=100, default="")
    company = models.CharField(max_length=100, default="")
    client = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)
    bu = models.ForeignKey("Bt", models.RESTRICT, null=True, related_name="+", db_index=False)

    class Meta:
        db_table = "generatepdf"

    def __str__(self) -> str:
        return f"{self.document_type} ({self.pk})"
