"""The house's pages and its API, for an application's URLs: `path("tasks/", include("youtility_tasks.urls"))`."""

from __future__ import annotations

from django.urls import include, path

from . import health
from .exporter.view import metrics

urlpatterns = [
    path("healthz", health.healthz, name="youtility_tasks_healthz"),
    path("readyz", health.readyz, name="youtility_tasks_readyz"),
    path("metrics", metrics, name="youtility_tasks_metrics"),
    path("api/", include("youtility_tasks.api.urls")),
    path("", include("youtility_tasks.console.urls")),
]
