"""Places at which a test may kill, stop or fail a process: `reach("after_claim")` does nothing unless told to.

YOUTILITY_TASKS_FAILPOINTS names points and what happens there: `after_claim=kill`, several separated by commas. Actions:
`raise` (FailpointReached), `kill` (SIGKILL to this very process), `stop` (SIGSTOP, until somebody continues it). With
`after_claim=kill:/path` it happens once for all processes: to the one that makes the file.
"""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

VARIABLE = "YOUTILITY_TASKS_FAILPOINTS"

POINTS = ("after_claim", "before_start", "after_effect", "before_finish", "after_finish_sent", "in_rescue")
"""after_claim: jobs are ours in the database, and no child knows of them. before_start: in the child, before the task.
after_effect: the effect has happened, and is not marked done. before_finish: endings are known and not sent.
after_finish_sent: the database has answered, and the worker has not taken note. in_rescue: before silent workers are
looked for."""
OF_SCHEDULES = ("after_tick",)
"""after_tick: a tick's row is written, its job is not. Reached only where there are schedules."""
OF_IMPORTS = ("beat_held", "beat_handed_over", "adopt_taken", "adopt_written")
"""beat_held: no Beat fires the rows any more, and nobody does. beat_handed_over: one is ours, not committed. adopt_taken: messages are off Celery's
queue, and no job is written. adopt_written: their jobs are committed, and the messages still held. Reached only by commands of the bridge."""

OF_BRIDGE = ("bridge_taken", "bridge_written", "bridge_cancelled", "bridge_sent")
"""Of a move between Celery and PostgreSQL: messages are taken, and have no job; a job is written, and its message not forgotten; jobs
have left the queue, and no message is sent; one is sent, and its row still there."""

ACTIONS = ("raise", "kill", "stop")


class FailpointReached(RuntimeError):
    """What the action `raise` raises."""


class Action(NamedTuple):
    """What happens at a point; `once` is the file of the process that it happened to."""

    name: str
    once: str


def parse(text: str) -> dict[str, Action]:
    """The points of YOUTILITY_TASKS_FAILPOINTS. Raises ValueError, saying what would have been right."""
    armed = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        point, _, action = part.partition("=")
        name, _, once = action.partition(":")
        if point not in (*POINTS, *OF_SCHEDULES, *OF_IMPORTS, *OF_BRIDGE) or name not in ACTIONS:
            raise ValueError(
                f"{VARIABLE}: {part!r} is no failpoint; right is one of {', '.join((*POINTS, *OF_SCHEDULES, *OF_IMPORTS, *OF_BRIDGE))}, "
                f"then = and one of {', '.join(ACTIONS)}."
            )
        armed[point] = Action(name, once)
    return armed


def act(point: str, armed: dict[str, Action]) -> None:
    """Do what is armed for a point, if anything is."""
    action = armed.get(point)
    if action is None or (action.once and not _is_first(action.once)):
        return
    if action.name == "raise":
        raise FailpointReached(point)
    os.kill(os.getpid(), signal.SIGKILL if action.name == "kill" else signal.SIGSTOP)


def _is_first(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


_armed = parse(os.environ.get(VARIABLE, ""))

if _armed:

    def reach(name: str) -> None:
        """Say that a point is reached."""
        act(name, _armed)

else:

    def reach(name: str) -> None:
        """Say that a point is reached; nothing is armed, so nothing happens."""
