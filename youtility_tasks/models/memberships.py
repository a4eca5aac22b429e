"""Who may see or act for which tenant."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .tenants import Tenant


class Role(models.TextChoices):
    """What a person may do for a tenant; each may do what the ones before may."""

    VIEWER = "viewer", "viewer: sees the tenant's jobs"
    OPERATOR = "operator", "operator: retries, cancels, pauses"
    ADMIN = "admin", "admin: changes schedules and limits"


class TenantMembership(models.Model):
    """A person's role for one tenant; who works for several has several."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="task_memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="yt_membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="yt_membership_role_word"),
        ]
        permissions = [("ops", "Operates every tenant's jobs, without seeing their contents")]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.tenant_id}"
