"""Dead letters by what went wrong: grouped, given new attempts at a rate and with other arguments, or discarded with a reason.

::

    from youtility_tasks import dead_letters, tenant
    from youtility_tasks.dead_letters import Letters

    with tenant(7):
        for group in dead_letters.groups(Letters(task_name="send_ticket_email")):
            print(group.count, group.fingerprint, group.error_class, group.place)
        dead_letters.redrive(Letters(fingerprint="3f2a9c0d11e4b870"), rate_per_s=50, reason="the mail server is back")

One job: `dead_letters.retry(job_id, {"level": 2})`, or `acts.retry(job_id)` as it is.
"""

from .choosing import Group, Letters, failed_at, groups
from .discarding import discard
from .redriving import get, go_on, listing, redrive, stop, would
from .retrying import retry, retry_many

__all__ = [
    "Group",
    "Letters",
    "discard",
    "failed_at",
    "get",
    "go_on",
    "groups",
    "listing",
    "redrive",
    "retry",
    "retry_many",
    "stop",
    "would",
]
