"""For which tenant the pages work, of those that a person has; held by their session."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from youtility_tasks import membership, middleware, tenants
from youtility_tasks.addresses import LARGEST_TENANT
from youtility_tasks.models import Tenant
from youtility_tasks.problems import Problem
from youtility_tasks.visits import For

from .door import came_from, guarded
from .table import page
from .visit import URLS, Shown, Visit


@page("choose/", scope=For.ANYBODY, takes=("next",), tab="")
def choose(visit: Visit) -> Shown:
    """The tenants that one may work for; as an operator, all of them at once."""
    its = membership.memberships_of(visit.user)
    with tenants.no_tenant():
        names = dict(Tenant.objects.filter(pk__in=its).order_by("name", "pk").values_list("pk", "name"))
    found = [{"id": tenant_id, "name": name, "role": its[tenant_id]} for tenant_id, name in names.items()]
    return Shown("choose.html", "Whose tasks?", {"found": found, "next": _back(visit.request)})


def _chosen(request: HttpRequest, visit: Visit) -> HttpResponse:
    given = request.POST.get("tenant", "")
    if given and not (given.isascii() and given.isdecimal() and len(given) < 11 and int(given) <= LARGEST_TENANT):
        raise Problem(422, "wrong-tenant", "No such tenant", f"The tenant is {given[:40]!r}; right is one of the list.")
    middleware.choose(request, int(given) if given else None)
    return HttpResponseRedirect(_back(request))


chosen = guarded(For.ANYBODY, _chosen, methods=("POST",))


def _back(request: HttpRequest) -> str:
    return came_from(request) or reverse(f"{URLS}:overview")
