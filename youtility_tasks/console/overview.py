"""The first page: how the queues stand."""

from __future__ import annotations

from youtility_tasks import metrics

from .table import page
from .visit import Shown, Visit


@page("")
def overview(visit: Visit) -> Shown:
    """Every queue now."""
    return Shown("overview.html", "Overview", {"queues": metrics.queue_numbers(tenant_id=visit.tenant_id)})
