"""How what somebody types into the search of jobs may go on."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse

from youtility_tasks import search
from youtility_tasks.visits import For

from .table import page
from .visit import Visit


@page("jobs/completions/", scope=For.ANYBODY, takes=("q",), tab="jobs")
def completions(visit: Visit) -> HttpResponse:
    """A list of texts; asks the database for nothing but who it is."""
    return JsonResponse({"completions": search.completions(visit.request.GET.get("q", "")[: search.LONGEST], limit=12)})
