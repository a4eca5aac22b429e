"""Views of the list of jobs that people have saved."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class SavedView(models.Model):
    """One person's words for a filter of the list of jobs, in one tenant. The person is no foreign key: who goes leaves nothing that hurts."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.IntegerField(default=0, help_text="0: of an operator, over all tenants")
    user_key = models.CharField(max_length=64, help_text="the user's primary key, as text")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2_000, help_text="what stands behind the question mark of the list")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "user_key", "name"], name="yt_view_once"),
            models.CheckConstraint(condition=~Q(name=""), name="yt_view_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name
