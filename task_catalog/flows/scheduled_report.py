"""W4: a report that came by itself waits for its hour, is mailed, and is entered in the history, whatever became of it.

A run a report: it waits for the sweep that mails (T20), which says here how that ended.
"""

from __future__ import annotations

from django.db import transaction

from task_catalog.reporting import telling
from task_catalog.reporting.telling import NO_TROUBLE, Request, Trouble
from task_catalog.reports.history import create_report_history
from youtility_tasks import Run, Workflow
from youtility_tasks.errors import SignalRefused, WorkflowNotFound

NAME, ENDED = "scheduled report", "mailed or given up"


def begin(request: Request) -> Run:
    """Wait for the mail of a report that was made, in the transaction that stores it. One that is made again, because its file was
    lost, finds the same run."""
    flow = Workflow(NAME)
    ended = flow.signal(ENDED)
    flow.step(create_report_history, after=ended, args={name: ended.result[name] for name in telling.TOLD})
    return flow.start(key=request.key)


def end(request: Request, *, has_data: bool = True, trouble: Trouble = NO_TROUBLE) -> None:
    """Say what became of it; a second word changes nothing. Of one that has no run, as none was begun, the history is told at once."""
    try:
        with transaction.atomic():
            Run.by_key(NAME, request.key).signal(ENDED, telling.told_of(request, has_data=has_data, trouble=trouble))
    except SignalRefused:
        return
    except WorkflowNotFound:
        telling.tell(request, has_data=has_data, trouble=trouble)
