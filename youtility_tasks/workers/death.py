"""A child's death: bring it about, see that it has come, and say what it means for a job that had not ended."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from youtility_tasks.finish import Happened

from . import processes


def kill_group(pid: int) -> None:
    """Kill a child and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it may not have its own group yet


def is_dead(pid: int) -> bool:
    """Whether it runs nothing any more."""
    try:
        return processes.state(pid) == "Z"
    except processes.Gone:
        return True


def manner(status: int) -> str:
    """How it died, in words, from its wait status."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    names = {each.value: each.name for each in signal.Signals}  # most real-time signals have none
    return f"signal {names.get(-code, -code)}"


def unfinished(job_id: int, claim_number: int, how: Happened, died: str) -> dict[str, Any]:
    """The ending of a job that its child can no longer report; `died` as `manner` says it."""
    said = {
        Happened.CRASHED: ("ChildDied", f"The process that ran it died ({died})."),
        Happened.TIMED_OUT: ("HardTimeLimit", "It went on past its time limit, and its process was killed."),
        Happened.ABORTED: ("AbortRequested", "It was asked to end, did not, and its process was killed."),
        Happened.HANDED_BACK: ("", ""),
    }[how]
    return {
        "id": job_id,
        "claim_number": claim_number,
        "happened": how,
        "error_class": f"youtility_tasks.errors.{said[0]}" if said[0] else "",
        "error_message": said[1],
    }
