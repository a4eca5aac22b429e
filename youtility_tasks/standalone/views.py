"""The page on which somebody with several tenants chooses for which one he works."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from youtility_tasks import middleware, tenants
from youtility_tasks.errors import NotAllowed
from youtility_tasks.models import Tenant


@require_http_methods(["GET", "POST"])
@staff_member_required
def choose_tenant(request: Any) -> HttpResponse:
    """The user's tenants, and none; what is chosen holds from the next page on, for this session."""
    if request.method == "POST":
        return _chosen(request, request.POST.get("tenant", ""))
    with tenants.no_tenant():  # it is the one that lists them
        found = list(Tenant.objects.filter(pk__in=request.tenant_roles).order_by("name", "pk"))
    context = {
        **admin.site.each_context(request),
        "title": "Choose a tenant",
        "tenants": found,
        "tenant_id": request.tenant_id,
    }
    return TemplateResponse(request, "standalone/choose_tenant.html", context)


def _chosen(request: HttpRequest, given: str) -> HttpResponse:
    if given and not (given.isdecimal() and len(given) < 11):
        messages.error(request, f"The tenant is {given[:40]!r}; right is one of those below.")
        return redirect("choose_tenant")
    try:
        middleware.choose(request, int(given) if given else None)
    except NotAllowed as refused:
        messages.error(request, str(refused))
        return redirect("choose_tenant")
    return redirect("admin:index")
