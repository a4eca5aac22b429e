"""The Django app that owns the facility company's tables."""

from __future__ import annotations

from django.apps import AppConfig


class FacilityConfig(AppConfig):
    """Clients, sites, people, plans and what became of them; leave it out if your own application has these tables."""

    name = "task_catalog.facility"
    label = "facility"
    verbose_name = "Facility company"
    default_auto_field = "django.db.models.BigAutoField"
