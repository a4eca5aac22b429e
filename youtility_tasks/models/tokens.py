"""Who may call the HTTP API without a session, and how often anybody may."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from .memberships import Role
from .tenants import Tenant


class TokenQuerySet(models.QuerySet["ApiToken"]):
    """Named questions about tokens; none of them reads a digest, which only the database's own function may."""

    def shown(self) -> TokenQuerySet:
        """As they may be looked at."""
        return self.defer("digest")

    def for_tenant(self, tenant_id: int | None) -> TokenQuerySet:
        """Those that are for this tenant alone; None is an operator, who sees all."""
        return self if tenant_id is None else self.filter(tenant_id=tenant_id)


class ApiToken(models.Model):
    """A token of one person, perhaps for one tenant, perhaps with less than their role. Only its digest is stored."""

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the token, in hex")
    name = models.CharField(max_length=100, help_text="what it is for")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="task_tokens")
    username = models.CharField(max_length=254, help_text="what they signed in with when it was made")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="tokens")
    role = models.CharField(
        max_length=16, choices=Role.choices, default="", blank=True, help_text="at most; empty: theirs"
    )
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200, default="")
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="to the minute")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, default="", blank=True)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="yt_token_once"),
            models.CheckConstraint(condition=Q(role__in=["", *Role.values]), name="yt_token_role_word"),
        ]

    def __str__(self) -> str:
        return f"token {self.name!r} of {self.username}"


class ApiAllowance(models.Model):
    """How many requests somebody has left, as the instant at which they will have all of them again; not logged, not copied."""

    who = models.CharField(max_length=64, primary_key=True, help_text="token:7, or user:7 for a session")
    full_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.who
