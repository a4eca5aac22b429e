"""Acts on all jobs that a filter means, as durable operations: counted before, followed, stopped, and undone while that is true.

::

    from youtility_tasks import operations, tenant
    from youtility_tasks.listing import JobFilter

    with tenant(7):
        operations.preview("retry", JobFilter(task_name="send_ticket_email")).count
        begun = operations.begin("retry", JobFilter(task_name="send_ticket_email"), rate_per_s=50, reason="the mail server is back")
        operations.get(begun.pk).done_count
        operations.stop(begun.pk)
        operations.undo(begun.pk)

Workers do them, batch by batch. Who is killed in the middle of a batch has done nothing of it, and another worker goes on behind
the last batch that is there.
"""

from .begin import begin, get, is_undoable, listing, stop, undo, undo_until
from .choosing import read
from .kinds import Act
from .preview import Preview, preview

__all__ = ["Act", "Preview", "begin", "get", "is_undoable", "listing", "preview", "read", "stop", "undo", "undo_until"]
