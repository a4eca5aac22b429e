"""The clients whose work is kept apart."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class TenantQuerySet(models.QuerySet["Tenant"]):
    """Named questions about tenants."""

    def active(self) -> TenantQuerySet:
        """The tenants that may enqueue and whose jobs run."""
        return self.filter(is_active=True)

    def called(self, text: str) -> TenantQuerySet:
        """The tenants whose name has this in it, or whose id it is; empty means any."""
        is_id = text.isascii() and text.isdecimal() and len(text) < 10
        return self.filter(Q(name__icontains=text) | (Q(pk=int(text)) if is_id else Q())) if text else self

    def after(self, tenant_id: int | None) -> TenantQuerySet:
        """The tenants with a higher id; None means any."""
        return self if tenant_id is None else self.filter(pk__gt=tenant_id)


class Tenant(models.Model):
    """A client company; its id is the application's own `client_id`."""

    id = models.IntegerField(primary_key=True)
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    weight = models.PositiveSmallIntegerField(default=1)
    zone = models.CharField(
        max_length=64,
        default="UTC",
        db_default="UTC",
        help_text="IANA name; schedules without a zone of their own keep it",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deactivated_at = models.DateTimeField(null=True, blank=True)
    deactivated_reason = models.TextField(default="", db_default="", blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index("id", name="yt_tenant_inactive", condition=Q(is_active=False))]
        constraints = [
            models.CheckConstraint(name="yt_tenant_id_positive", condition=Q(id__gt=0)),
            models.CheckConstraint(name="yt_tenant_weight_positive", condition=Q(weight__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.pk})"
