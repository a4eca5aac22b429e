"""The pages of the bundled project."""

from django.contrib import admin
from django.urls import include, path

from youtility_tasks.exporter.view import metrics

from .views import choose_tenant

urlpatterns = [
    path("admin/tenant/", choose_tenant, name="choose_tenant"),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
    path("tasks/", include("youtility_tasks.urls")),
]
