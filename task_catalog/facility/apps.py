"""The Django app that owns the facility company's tables."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig

_NONE_ID = 1
"""As in models.sentinel_id, which cannot be imported before there are apps."""
_OF_ONE_CLIENT = {"column": "client_id", "shared": [_NONE_ID]}
"""A client's own, and the NONE row, at which everybody's rows may point."""
_ALSO_NOBODYS = {"column": "client_id", "shared": [None, _NONE_ID]}
"""Vocabulary and questions: a row without a client is everybody's to read."""


class FacilityConfig(AppConfig):
    """Clients, sites, people, plans and what became of them; leave it out if your own application has these tables."""

    name = "task_catalog.facility"
    label = "facility"
    verbose_name = "Facility company"
    default_auto_field = "django.db.models.BigAutoField"
    youtility_tenant_tables: dict[str, Any] = {
        # Clients and their sites; a region between them would need a condition of its own.
        "bt": {"where": "id = {tenant} OR parent_id = {tenant}", "shared_where": f"id = {_NONE_ID}"},
        **dict.fromkeys(("typeassist", "question", "questionset", "questionsetbelonging"), _ALSO_NOBODYS),
        **dict.fromkeys(
            (
                *("people", "pgroup", "pgbelonging", "shift", "geofencemaster", "peopleeventlog", "deviceeventlog"),
                *("location", "asset", "job", "jobneed", "ticket", "escalationmatrix", "vendor", "wom", "approver"),
                *("schedule_report", "report_history", "generatepdf"),
            ),
            _OF_ONE_CLIENT,
        ),
        "jobneeddetails": {"through": "jobneed_id", "to": "jobneed"},
        "womdetails": {"through": "wom_id", "to": "wom"},
        "reminder": {"through": "job_id", "to": "job"},
        "tracking": {"through": "people_id", "to": "people"},
        "assetlog": {"through": "asset_id", "to": "asset"},
        "attachment": {"through": "bu_id", "to": "bt"},
    }
