"""What people did, kept for good."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q, Subquery, Value
from django.db.models.functions import Greatest, Now

OF_SCHEDULES = (
    "create schedule", "change schedule", "remove schedule", "pause schedule", "resume schedule", "run schedule",
)  # fmt: skip
"""Acts on one schedule, which its page lists."""
TURNS = (
    "pause", "resume", "limit", "change schedule", "remove schedule", "pause schedule", "resume schedule", "quiet worker",
    "drain worker", "resume worker", "deactivate tenant", "weigh tenant", "route",
)  # fmt: skip
"""Acts by which others' work goes otherwise from then on: where something is wrong they are the first suspects."""
_LARGEST_ID = 2**63 - 1


class AuditQuerySet(models.QuerySet["TaskAuditLog"]):
    """Named questions about acts; each narrows what it is asked of, and None leaves it as wide."""

    def for_tenant(self, tenant_id: int | None) -> AuditQuerySet:
        """The acts that this tenant may see; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def of_act(self, act: str | None) -> AuditQuerySet:
        """One kind of act; None means any."""
        return self if act is None else self.filter(act=act)

    def of_actor(self, actor: str | None) -> AuditQuerySet:
        """The acts of one person or program; None means any."""
        return self if actor is None else self.filter(actor=actor)

    def by(self, actor: str | None) -> AuditQuerySet:
        """What one person or program did, with or without a token; None means anybody."""
        return self if actor is None else self.filter(Q(actor=actor) | Q(actor__startswith=f"{actor} (token "))

    def about(self, text: str | None) -> AuditQuerySet:
        """The acts whose target has this in it, or which changed the job of this id; None means any."""
        if text is None:
            return self
        found = Q(target__icontains=text)
        if text.isascii() and text.isdecimal() and len(text) < 19:
            found = Q(after__jobs__contains=[int(text)]) | Q(target__iregex=rf"\m{text}\M")
        return self.filter(found)

    def between(self, since: datetime | None, until: datetime | None) -> AuditQuerySet:
        """From then on, and up to then; None is open."""
        found = self if since is None else self.filter(at__gte=since)
        return found if until is None else found.filter(at__lte=until)

    def about_job(self, job_id: int, since: datetime, *, most: int = 2_000) -> AuditQuerySet:
        """The acts on this job since then (it was enqueued), newest first; looked for among the newest acts, as no index knows them."""
        named = Q(target=f"job {job_id}") | Q(target__startswith=f"job {job_id} (")
        return self._newest(since, most).filter(named | Q(after__jobs__contains=[job_id]))

    def turns(self, since: datetime, *, most: int = 2_000) -> AuditQuerySet:
        """The acts since then by which work goes otherwise, newest first; looked for among the newest acts."""
        return self._newest(since, most).filter(act__in=TURNS)

    def _newest(self, since: datetime, most: int) -> AuditQuerySet:
        newest_first = self.order_by("-pk")
        # A range of ids with both its ends: of a list of ids, or of one open end, the planner expects so many that it reads all acts there are.
        oldest = Greatest(Subquery(newest_first.values("pk")[most - 1 : most]), Value(0, models.BigIntegerField()))
        return newest_first.filter(at__gte=since, pk__gte=oldest, pk__lte=_LARGEST_ID)

    def of_schedule(self, tenant_id: int, target: str) -> AuditQuerySet:
        """What was done to this schedule of this tenant (0: of the sweeps)."""
        return self.filter(tenant_id=tenant_id, target=target, act__in=OF_SCHEDULES)

    def before(self, act_id: int | None) -> AuditQuerySet:
        """The acts that came before this one; None means any."""
        return self if act_id is None else self.filter(pk__lt=act_id)


class TaskAuditLog(models.Model):
    """One act of a person or a program: written in the transaction of the act, never changed, never deleted row by row."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=200)
    act = models.CharField(max_length=40, help_text="pause, resume, limit, cancel, retry, discard, add tenant, ...")
    target = models.CharField(max_length=300)
    tenant_id = models.IntegerField(null=True, blank=True, help_text="none: it concerns more than one tenant")
    reason = models.TextField(default="", blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant_id", "-id"], name="yt_audit_tenant"),
            models.Index(fields=["actor", "-id"], name="yt_audit_actor"),
            models.Index(fields=["act", "-id"], name="yt_audit_act"),
            models.Index(
                fields=["tenant_id", "target", "-id"],
                name="yt_audit_schedule",
                condition=models.Q(act__in=OF_SCHEDULES),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor}: {self.act} {self.target}"
