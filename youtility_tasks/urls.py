"""The house's pages and its API, for an application's URLs: `path("tasks/", include("youtility_tasks.urls"))`."""

from __future__ import annotations

from django.urls import include, path

from . import health

urlpatterns = [
    path("healthz", health.healthz, name="youtility_tasks_healthz"),
    path("readyz", health.readyz, name="youtility_tasks_readyz"),
    path("api/", include("youtility_tasks.api.urls")),
    path("", include("youtility_tasks.console.urls")),
]
