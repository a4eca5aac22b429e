"""`celery_bridge VERB`: move an application from Celery, task by task, and back.

status        of each task: its route, what ended and waits on each side, the last error, what parity says
route         send the calls of tasks to celery, shadow, canary P% or postgres
rollback      send them back to Celery: one task, or all
move          what waits on one side to the other, each call once; ends what a killed move has left
adopt         what waits in Redis becomes jobs, once no worker consumes it
results       what django-celery-results has kept becomes history
parity        whether it is safe to switch: exit status 0 if it is
verify        the whole move, proven on a Redis, a Celery and a database of its own

`celery_bridge VERB --help` shows its words and lines to copy. Each takes --json: one JSON document on stdout, also for a refusal.
Exit status: 0 done (or safe), 1 refused or not found (or not safe), 2 bad usage.
"""

from __future__ import annotations

from typing import Any

from youtility_tasks.celery_bridge import joining
from youtility_tasks.management.bridging import VERBS
from youtility_tasks.management.verb_command import VerbCommand


class Command(VerbCommand):
    called, verbs, help = "celery_bridge", VERBS, __doc__

    def handle(self, *args: Any, **options: Any) -> Any:
        """With all tasks known that Celery's workers know."""
        joining.load_all()
        return super().handle(*args, **options)
