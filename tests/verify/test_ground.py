"""The servers that a run is played on."""

from __future__ import annotations

import os
import signal

from youtility_tasks.verify.crew import until
from youtility_tasks.verify.ground import Ground, Place

ENTER = "INSERT INTO youtility_tasks_taskauditlog (actor, act, target, reason) VALUES ('a', 'b', 'c', '') RETURNING id"


def entered(place: Place) -> int:
    with place.connect() as connection:
        ((audit_id,),) = connection.execute(ENTER).fetchall()
    assert isinstance(audit_id, int)
    return audit_id


def test_a_crash_right_after_a_run_has_begun_gives_no_number_twice(servers: Ground) -> None:
    """The template's tenants have drawn from this sequence; a database that was copied from it without a checkpoint
    forgets what it drew itself."""
    place = servers.new_run("crashed")
    before = entered(place)
    pid = servers.queue.pid()
    assert pid is not None

    os.kill(pid, signal.SIGQUIT)
    until(lambda: servers.queue.pid() != pid, "the database is down")
    servers.queue.start()

    assert entered(place) > before
