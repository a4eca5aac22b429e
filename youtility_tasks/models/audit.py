"""What people did, kept for good."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

OF_SCHEDULES = (
    "create schedule", "change schedule", "remove schedule", "pause schedule", "resume schedule", "run schedule",
)  # fmt: skip
"""Acts on one schedule, which its page lists."""


class AuditQuerySet(models.QuerySet["TaskAuditLog"]):
    """Named questions about acts; each narrows what it is asked of, and None leaves it as wide."""

    def for_tenant(self, tenant_id: int | None) -> AuditQuerySet:
        """The acts that this tenant may see; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)

    def of_act(self, act: str | None) -> AuditQuerySet:
        """One kind of act; None means any."""
        return self if act is None else self.filter(act=act)

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
            models.Index(
                fields=["tenant_id", "target", "-id"],
                name="yt_audit_schedule",
                condition=models.Q(act__in=OF_SCHEDULES),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor}: {self.act} {self.target}"
