"""A worker listens on the connection that it asks on: whatever becomes of that one, the next job is heard of, and not found by looking."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import psycopg
import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until

LOOKS_S, DEADLINE_S = 60.0, 1.0
SOON_S = 8.0
SELDOM = {"heartbeat_interval_s": 30.0, "lease_s": 90.0, "rescue_interval_s": 30.0}
"""Nobody else asks anything, and opens the connection with it."""
OF_OURS = "application_name LIKE 'youtility worker%%' AND datname = current_database()"

FIRST_ALONE = Mutant(
    "youtility_tasks.workers.link", "Link._open", "if self.channels:", "if self.channels and not self.sent_at:"
)
NEVER_AGAIN = Mutant(
    "youtility_tasks.workers.link", "Link._ask", "if exchange is not None and exchange is self._exchange", "if False"
)
UNTOLD = Mutant("youtility_tasks.workers.link", "Link._lose", "self._lost()", "pass")
NO_TICKER = Mutant("youtility_tasks.workers.worker", "Worker._open_anew", "self.ticker.wake.set()", "pass")
FAILS_QUIETLY = Mutant("youtility_tasks.workers.link", "Link.ask", "self._lost()", "pass")


def runs(crew: Crew, within_s: float = SOON_S) -> None:
    for _ in range(2):  # what is heard of the first might be a look that its connection brought with it
        assert crew.queue.ending(crew.queue.put("does_nothing"), within_s=within_s)["status"] == "succeeded"
        time.sleep(1.2)  # after a notification it looks once more


def nothing(crew: Crew) -> None:
    """A renewal, which is no statement of the pump, has passed."""
    crew.next_heartbeat("running")
    crew.next_heartbeat("running")


def terminated(crew: Crew) -> None:
    assert crew.queue.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_OURS}") == [(True,)]


def terminated_under_way(crew: Crew) -> None:
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    crew.began()
    terminated(crew)
    gate.touch()
    crew.queue.ending(job_id)


def too_late(crew: Crew) -> None:
    """A statement does not answer in time."""
    with psycopg.connect(crew.queue.url) as hog:
        hog.execute("LOCK TABLE youtility_tasks_taskworker")
        time.sleep(2 * DEADLINE_S)


def told_too_much(crew: Crew) -> None:
    for channel in ("procrastinate_queue_v1#maintenance", "youtility_tasks_schedules", "youtility_tasks_operations"):
        crew.queue.rows("SELECT pg_notify(%s, '{}' || g) FROM generate_series(1, 20000) g", channel)


@pytest.mark.parametrize("fault", [nothing, terminated, terminated_under_way, too_late, told_too_much])
def test_it_is_heard_after(crew: Crew, fault: Callable[[Crew], None]) -> None:
    supervisor = crew.start(poll_interval_s=LOOKS_S, statement_deadline_s=DEADLINE_S, lease_s=10.0)
    runs(crew)
    fault(crew)
    runs(crew)
    if fault is not nothing:
        return
    (worker,) = (each for each in supervisor.family() if each.ppid() == supervisor.pid and "nursery" not in each.name())
    assert spent(worker, 2.0) < 0.2, "it sleeps until it hears"


def spent(process: psutil.Process, seconds: float) -> float:
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    return after.user + after.system - before.user - before.system


def test_a_lost_connection_is_opened_anew_before_anybody_asks(crew: Crew) -> None:
    crew.start(poll_interval_s=LOOKS_S, **SELDOM)
    runs(crew)
    terminated(crew)
    runs(crew)


@pytest.mark.parametrize(
    ("mutant", "fault"),
    [(FIRST_ALONE, terminated), (FIRST_ALONE, too_late), (NEVER_AGAIN, nothing)],
    ids=["listens once", "listens once, deadline", "hears until a cursor comes"],
)
def test_without_its_guard_it_is_not(crew: Crew, mutant: Mutant, fault: Callable[[Crew], None]) -> None:
    crew.start(poll_interval_s=LOOKS_S, statement_deadline_s=DEADLINE_S, lease_s=10.0, mutant=mutant)
    fault(crew)
    with pytest.raises(AssertionError, match="has not ended"):
        runs(crew, within_s=4)


def test_without_a_word_of_the_loss_it_waits_for_a_renewal(crew: Crew) -> None:
    crew.start(poll_interval_s=LOOKS_S, **SELDOM, mutant=UNTOLD)
    runs(crew)
    terminated(crew)
    with pytest.raises(AssertionError, match="has not ended"):
        runs(crew, within_s=4)


def opens_anew_with_no_room(crew: Crew) -> None:
    """Its pump asks for nothing, and whoever wants a job of it to end must be heard."""
    crew.queue.put("waits", until=str(crew.gate()))
    crew.began()
    ((before,),) = crew.queue.rows(f"SELECT pid FROM pg_stat_activity WHERE {OF_OURS}")
    terminated(crew)
    until(
        lambda: crew.queue.rows(f"SELECT pid FROM pg_stat_activity WHERE {OF_OURS} AND pid <> %s", before), within_s=3
    )


def test_a_worker_without_room_opens_anew_too(crew: Crew) -> None:
    crew.start(threads=1, poll_interval_s=LOOKS_S, **SELDOM)
    opens_anew_with_no_room(crew)


def test_which_it_owes_to_the_schedules(crew: Crew) -> None:
    crew.start(threads=1, poll_interval_s=LOOKS_S, mutant=NO_TICKER, **SELDOM)
    with pytest.raises(AssertionError, match="not within 3 s"):
        opens_anew_with_no_room(crew)


def a_renewal_fails(crew: Crew) -> None:
    """The fourth: at the first ones the worker has more to say. Nobody else asks anything for a while after it."""
    for _ in range(3):
        crew.next_heartbeat("running")
    with psycopg.connect(crew.queue.url) as hog:
        hog.execute("SELECT FROM procrastinate_workers FOR UPDATE")
        waits = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_OURS} AND wait_event_type = 'Lock'"
        until(lambda: crew.queue.rows(waits), why="a renewal waits")


RARELY = {"heartbeat_interval_s": 4.0, "lease_s": 90.0, "rescue_interval_s": 90.0}


def test_who_asked_in_vain_leaves_no_worker_without_a_connection(crew: Crew) -> None:
    supervisor = crew.start(poll_interval_s=LOOKS_S, **RARELY)
    a_renewal_fails(crew)
    runs(crew, within_s=2)
    assert supervisor.said("lease not renewed")


def test_where_nobody_is_told_of_it_the_next_renewal_is_waited_for(crew: Crew) -> None:
    crew.start(poll_interval_s=LOOKS_S, mutant=FAILS_QUIETLY, **RARELY)
    a_renewal_fails(crew)
    with pytest.raises(AssertionError, match="has not ended"):
        runs(crew, within_s=2)
