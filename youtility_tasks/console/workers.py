"""Worker processes: what each serves, holds and uses."""

from __future__ import annotations

from youtility_tasks.documents import queues as documents
from youtility_tasks.models import TaskWorker
from youtility_tasks.visits import For

from .table import page
from .visit import Shown, Visit


@page("workers/", scope=For.OPS)
def workers(visit: Visit) -> Shown:
    """Those that live, and those that went lately."""
    found = [documents.worker(each) for each in TaskWorker.objects.with_silence().order_by("queue_name", "-pk")[:200]]
    return Shown("workers.html", "Workers", {"workers": found})
