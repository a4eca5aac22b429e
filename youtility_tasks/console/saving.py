"""Keeps the filters of the list of jobs as a view of one's own, and takes one away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict

from youtility_tasks import saved_views
from youtility_tasks.visits import For

from . import asking
from .door import guarded, reading
from .visit import Visit
from .words import Words


def of(visit: Visit) -> Sequence[Mapping[str, Any]]:
    """The visitor's own views, as links."""
    return [
        {"id": each.pk, "name": each.name, "href": f"{visit.to('jobs')}{'&' if visit.wanted_tenant is not None else '?'}{each.query}"}
        for each in saved_views.mine(visit.user, visit.tenant_id)
    ]  # fmt: skip


def _save(request: HttpRequest, visit: Visit) -> HttpResponse:
    given = QueryDict(request.POST.get("query", "")[: saved_views.LONGEST_QUERY + 1])
    kept = QueryDict(mutable=True)
    for name in asking.FILTERS:
        if given.get(name):
            kept[name] = given[name]
    with reading(visit, For.TENANT_OR_OPS):
        asking.wanted(visit, Words(kept))  # what cannot be meant is not kept
        made = saved_views.save(visit.user, visit.tenant_id, request.POST.get("name", ""), kept.urlencode())
    messages.success(request, f"The view “{made.name}” is kept.", fail_silently=True)
    return _to_list(visit, made.query)


def _forget(request: HttpRequest, visit: Visit) -> HttpResponse:
    said = request.POST.get("view", "")
    if said.isascii() and said.isdecimal() and len(said) < 19:
        with reading(visit, For.TENANT_OR_OPS):
            saved_views.forget(visit.user, visit.tenant_id, int(said))
    return _to_list(visit, "")


def _to_list(visit: Visit, query: str) -> HttpResponse:
    joint = "&" if visit.wanted_tenant is not None else "?"
    response = HttpResponseRedirect(visit.to("jobs") + (f"{joint}{query}" if query else ""))
    response.status_code = 303
    return response


save = guarded(For.TENANT_OR_OPS, _save, methods=("POST",))
forget = guarded(For.TENANT_OR_OPS, _forget, methods=("POST",))
