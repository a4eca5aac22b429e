"""`manage_task_queue VERB`: look at the queue and act on it.

stats         the queues now, and what ended in the last hour
monitor       all of it on one screen, refreshed; acts by keys
workers       the worker processes and their children: list, show, quiet, drain, resume
tasks         what is registered; of one task also how it has gone
jobs          what waits, runs, has failed or has ended
show          one job with every attempt
submit        enqueue one job
retry         give dead letters a fresh set of attempts
cancel        take waiting jobs off, ask running ones to end
discard       take dead letters out for good
dead-letters  what has failed for good
operations    an act on all that a search means: preview, begin, list, show, stop, undo
pause         let no job of a queue, a task or a tenant start
resume        end a pause
limits        list what is limited or paused; set, clear
schedule      what is made again and again: list, show, add, set, preview, pause, resume, run, remove; holidays
workflow      runs and their steps: list, show, start, signal, cancel, retry; templates
why           why a job does not run, and when it may
cleanup       remove what is past its retention
doctor        what is wrong, and what to do
tenants       list, add, deactivate
tokens        of the HTTP API: list, create, revoke
rekey         seal secret arguments anew under the newest key
audit         who did what, and why

`manage_task_queue VERB --help` shows its words and lines to copy. Colours: none where NO_COLOR is set, or nobody looks.
Each takes --json: one JSON document on stdout, also for a refusal; logs and messages go to stderr.
Exit status: 0 done, 1 refused or not found (or the doctor found a problem), 2 bad usage.
"""

from __future__ import annotations

from youtility_tasks.management.verb_command import VerbCommand
from youtility_tasks.management.verbs import VERBS


class Command(VerbCommand):
    called, verbs, help = "manage_task_queue", VERBS, __doc__
