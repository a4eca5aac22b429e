"""What is handed to a worker by who enqueues it runs once, whatever becomes of that worker, its connection, and the notification."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until
from tests.faults.test_hearing import OF_OURS
from youtility_tasks.verify.proxy import Proxy

QUEUE = "maintenance"
PATIENT = {"heartbeat_interval_s": 2.0, "lease_s": 8.0, "poll_interval_s": 60.0}
"""A worker that stands still for a moment is not given up, and it looks for nothing by itself."""

NEVER_OFFERS = Mutant("youtility_tasks.workers.worker", "Worker._offer", "if takes and not self._room():", "if True:")
ONCE_FOR_ALL = Mutant(
    "youtility_tasks.workers.offer",
    "Offer.keep",
    "takes and self._made != (link.opened, worker_id)",
    "takes and self._made is None",
)
NEVER_WITHDRAWS = Mutant(
    "youtility_tasks.workers.offer", "Offer.keep", "elif not takes and self._made is not None:", "elif False:"
)
STAYS_DEAF = Mutant("youtility_tasks.workers.lease", "Lease._renew", "self._link.distrust()", "pass")
BEGINS_TO_THE_LAST = Mutant("youtility_tasks.workers.worker", "Worker._take_handed", "self.has_left or ", "")


@pytest.fixture
def ear(crew: Crew) -> Iterator[psycopg.Connection[Any]]:
    """Hears when the workers of the queue are told that something waits, which they are not of a job that was handed over."""
    with psycopg.connect(crew.queue.url, autocommit=True) as connection:
        connection.execute(f'LISTEN "procrastinate_queue_v1#{QUEUE}"')
        yield connection


def put(crew: Crew, task_name: str, **args: Any) -> int:
    """As the house enqueues; a row that says nothing is procrastinate's own, which its workers are told of."""
    return crew.queue.put(task_name, _noted=False, **args)


def offered(crew: Crew, *, but_not: int = 0) -> int:
    """A worker has made its offer; the offer's key. Who enqueues here has done so before, and on a busy machine nothing takes long."""
    ((hand_over,),) = crew.queue.rows("SELECT pg_get_functiondef('youtility_tasks_hand_over_v1'::regproc)")
    crew.queue.rows(hand_over.replace("'5 ms'", "'1 hour'").replace("%", "%%"))
    crew.queue.rows("SELECT set_config('youtility_tasks.commits', '3', false)")
    found = until(
        lambda: crew.queue.rows("SELECT key FROM youtility_tasks_offer WHERE key <> %s", but_not), why="an offer"
    )
    return int(found[0][0])


def handed(crew: Crew, ear: psycopg.Connection[Any], task_name: str, **args: Any) -> int:
    """A job that was handed to a worker, as nobody was told that it waits. The worker has just renewed its lease."""
    crew.next_heartbeat("running")
    job_id = put(crew, task_name, **args)
    assert not list(ear.notifies(timeout=0.2)), "it was handed to nobody"
    return job_id


def worker(crew: Crew) -> psutil.Process:
    ((_, pid),) = crew.queue.workers()
    return psutil.Process(pid)


def ran_once(crew: Crew, job_id: int, *, within_s: float = 20) -> None:
    assert crew.queue.ending(job_id, within_s=within_s)["status"] == "succeeded"
    time.sleep(0.5)
    assert len(crew.diary("ran", task="adds")) == 1


def test_an_idle_worker_is_handed_job_after_job(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    crew.start(**PATIENT)
    offered(crew)
    crew.next_heartbeat("running")
    jobs = []
    for _ in range(20):
        jobs.append(put(crew, "does_nothing"))
        crew.queue.ending(jobs[-1])
    assert not list(ear.notifies(timeout=0.2))
    for job_id in jobs:
        ending = crew.queue.ending(job_id)
        assert (ending["status"], ending["attempt"], ending["claim_number"]) == ("succeeded", 1, 1)
    assert crew.queue.statuses() == {}


def test_a_worker_that_makes_no_offer_is_handed_nothing(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    crew.start(mutant=NEVER_OFFERS, **PATIENT)
    with pytest.raises(AssertionError, match="handed to nobody"):
        handed(crew, ear, "does_nothing")


def test_jobs_that_come_together_fill_its_slots_and_the_rest_waits(crew: Crew) -> None:
    crew.start(threads=2, **PATIENT)
    offered(crew)
    jobs = [put(crew, "waits", until=str(crew.gate()), name=str(n)) for n in range(5)]
    crew.began(2)
    time.sleep(0.3)
    assert sorted(crew.queue.statuses().values()) == ["doing"] * 2 + ["todo"] * 3
    crew.gate().touch()
    for job_id in jobs:
        assert crew.queue.ending(job_id)["status"] == "succeeded"


@pytest.mark.parametrize("task_name", ["adds", "adds_async"])
def test_async_and_sync_jobs_are_handed_over_alike(crew: Crew, ear: psycopg.Connection[Any], task_name: str) -> None:
    crew.start(**PATIENT)
    offered(crew)
    assert crew.queue.ending(handed(crew, ear, task_name, a=1, b=2))["result"] == 3


def test_a_job_that_no_code_here_knows_goes_back_for_another_worker(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    crew.start(**PATIENT)
    offered(crew)
    job_id = handed(crew, ear, "of_another_release")
    until(
        lambda: crew.queue.rows(
            "SELECT 1 FROM procrastinate_jobs WHERE id = %s AND status = 'todo' AND scheduled_at > now()", job_id
        )
    )


def test_a_worker_that_was_killed_with_it_is_rescued(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    crew.start()
    offered(crew)
    crew.next_heartbeat("running")
    with_it = worker(crew)
    with_it.suspend()
    job_id = put(crew, "adds", a=1, b=2)
    with_it.kill()
    ran_once(crew, job_id)


def freezes_past_its_lease(crew: Crew, mutant: list[Mutant] | None) -> None:
    crew.start(mutant=mutant)
    offered(crew)
    crew.next_heartbeat("running")
    frozen = worker(crew)
    frozen.suspend()
    job_id = put(crew, "adds", a=1, b=2)
    assert crew.queue.statuses() == {job_id: "doing"}
    crew.start()
    ran_once(crew, job_id)
    frozen.resume()
    time.sleep(1.5)
    assert len(crew.diary("ran", task="adds")) == 1
    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]


def test_a_worker_that_was_frozen_with_it_begins_nothing_when_it_wakes(crew: Crew) -> None:
    freezes_past_its_lease(crew, None)


def test_a_worker_that_is_frozen_is_soon_handed_nothing_more(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    crew.start(heartbeat_interval_s=0.3, lease_s=20.0)
    offered(crew)
    frozen = worker(crew)
    frozen.suspend()
    time.sleep(0.7)
    job_id = put(crew, "adds", a=1, b=2)
    assert list(ear.notifies(timeout=1, stop_after=1))
    assert crew.queue.statuses() == {job_id: "todo"}
    frozen.resume()
    ran_once(crew, job_id)


def loses_its_letter(crew: Crew) -> int:
    """The connection ends under it, unread; the lease does not."""
    standing = worker(crew)
    crew.next_heartbeat("running")
    standing.suspend()
    job_id = put(crew, "adds", a=1, b=2)
    assert crew.queue.statuses() == {job_id: "doing"}
    assert crew.queue.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_OURS}") == [(True,)]
    time.sleep(0.2)
    return job_id


def test_a_job_whose_letter_was_lost_goes_back_with_the_next_renewal(crew: Crew) -> None:
    """Or, where the letter had come before the end, it is begun at once."""
    supervisor = crew.start(**PATIENT)
    key = offered(crew)
    job_id = loses_its_letter(crew)
    worker(crew).resume()
    ran_once(crew, job_id, within_s=8)
    assert crew.queue.attempts(job_id) == ["succeeded"]
    assert not supervisor.said("Traceback")
    offered(crew, but_not=key)


def is_handed_again_after_a_loss(crew: Crew, ear: psycopg.Connection[Any], mutant: Mutant | None) -> None:
    crew.start(mutant=mutant, **PATIENT)
    offered(crew)
    crew.queue.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_OURS}")
    crew.next_heartbeat("running")
    crew.next_heartbeat("running")
    crew.queue.ending(handed(crew, ear, "does_nothing"))


def test_on_a_new_connection_it_makes_its_offer_anew(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    is_handed_again_after_a_loss(crew, ear, None)


def test_without_that_it_is_handed_nothing_more(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    with pytest.raises(AssertionError, match="handed to nobody"):
        is_handed_again_after_a_loss(crew, ear, ONCE_FOR_ALL)


@pytest.fixture
def proxy(crew: Crew) -> Iterator[Proxy]:
    """The way of the crew's workers to the database."""
    place = conninfo_to_dict(crew.queue.url)
    with contextlib.closing(Proxy(f"{place['host']}/.s.PGSQL.{place.get('port', 5432)}")) as made:
        crew.env = {**crew.env, "DATABASE_URL": f"postgresql://{place['user']}@127.0.0.1:{made.port}/{place['dbname']}"}
        yield made


def hears_again_after_one(crew: Crew, proxy: Proxy, mutant: Mutant | None) -> None:
    crew.start(mutant=mutant, **PATIENT)
    offered(crew)
    crew.next_heartbeat("running")
    assert proxy.deafen_listeners() == 1
    missed = put(crew, "does_nothing")
    assert crew.queue.ending(missed, within_s=6)["status"] == "succeeded"
    time.sleep(0.3)
    crew.queue.ending(put(crew, "does_nothing"), within_s=0.6)


def test_a_worker_that_is_deaf_without_knowing_it_notices_by_a_job_that_it_missed(crew: Crew, proxy: Proxy) -> None:
    hears_again_after_one(crew, proxy, None)


def test_without_its_guard_it_misses_the_next_as_well(crew: Crew, proxy: Proxy) -> None:
    with pytest.raises(AssertionError, match="not within"):
        hears_again_after_one(crew, proxy, STAYS_DEAF)


@contextlib.contextmanager
def handing_over(crew: Crew, task_name: str, **args: Any) -> Iterator[Callable[[], int]]:
    """Somebody's commit has handed a job over, and takes until the block says so; the job's id."""
    connections = (psycopg.connect(crew.queue.url, autocommit=True) for _ in range(2))
    with next(connections) as holder, next(connections) as aside, ThreadPoolExecutor(1) as pool:
        holder.execute(
            "CREATE FUNCTION zz_last() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(42, 42); RETURN NULL; END $$"
        )
        holder.execute(
            "CREATE CONSTRAINT TRIGGER zz_last AFTER INSERT ON procrastinate_jobs DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION zz_last()"
        )
        holder.execute("SELECT pg_advisory_lock(42, 42)")
        aside.execute("SELECT set_config('youtility_tasks.commits', '3', false)")
        committing = pool.submit(put_by, aside, task_name, args)

        def commit() -> int:
            holder.execute("SELECT pg_advisory_unlock_all()")
            return committing.result()

        try:
            until(
                lambda: crew.queue.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"),
                why="it commits",
            )
            yield commit
        finally:
            commit()


def put_by(connection: psycopg.Connection[Any], task_name: str, args: dict[str, Any]) -> int:
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, noted) VALUES (%s, %s, %s, false) RETURNING id"
    )
    ((job_id,),) = connection.execute(insert, [QUEUE, task_name, Jsonb(args)]).fetchall()
    return int(job_id)


def is_handed_none_as_it_leaves(crew: Crew, mutant: Mutant | None) -> None:
    supervisor = crew.start(mutant=mutant, **PATIENT)
    offered(crew)
    first = put(crew, "waits", until=str(crew.gate()))
    crew.began()
    supervisor.signal(signal.SIGTERM)
    crew.next_heartbeat("draining")
    second = put(crew, "adds", a=1, b=2)
    assert crew.queue.statuses() == {first: "doing", second: "todo"}
    crew.gate().touch()
    assert supervisor.wait() == 0
    assert crew.queue.statuses() == {second: "todo"}


def test_a_worker_that_leaves_is_handed_nothing_more(crew: Crew) -> None:
    is_handed_none_as_it_leaves(crew, None)


def test_without_its_withdrawal_it_would_be(crew: Crew) -> None:
    with pytest.raises(AssertionError):
        is_handed_none_as_it_leaves(crew, NEVER_WITHDRAWS)


def leaves_before_he_commits(crew: Crew, mutant: Mutant | None) -> int:
    """The worker waits for him, so that the job goes back as it leaves."""
    supervisor = crew.start(mutant=mutant, **PATIENT)
    offered(crew)
    crew.next_heartbeat("running")
    with handing_over(crew, "adds", a=1, b=2) as commit:
        supervisor.signal(signal.SIGTERM)
        until(lambda: crew.queue.rows("SELECT 1 WHERE NOT EXISTS (SELECT FROM youtility_tasks_offer)"), within_s=5)
        time.sleep(0.3)
        job_id = commit()
    assert supervisor.wait(within_s=15) == 0
    assert not supervisor.said("Traceback")
    return job_id


def test_a_worker_leaves_though_somebody_takes_long_to_commit(crew: Crew) -> None:
    job_id = leaves_before_he_commits(crew, None)
    assert crew.queue.statuses() == {job_id: "todo"}
    crew.start()
    ran_once(crew, job_id)
    assert crew.queue.attempts(job_id) == ["succeeded"]


def test_without_its_guard_it_begins_what_it_hears_of_as_it_leaves(crew: Crew) -> None:
    with pytest.raises(AssertionError):
        leaves_before_he_commits(crew, BEGINS_TO_THE_LAST)


def test_a_worker_leaves_though_somebody_does_not_commit(crew: Crew) -> None:
    """What he commits afterwards is rescued."""
    supervisor = crew.start(statement_deadline_s=1.0)
    offered(crew)
    crew.next_heartbeat("running")
    with handing_over(crew, "adds", a=1, b=2) as commit:
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait(within_s=15) == 0
        job_id = commit()
    assert crew.queue.statuses() == {job_id: "doing"}
    crew.start()
    ran_once(crew, job_id)


def test_jobs_that_come_one_by_one_while_workers_come_and_go_run_once(crew: Crew) -> None:
    first = crew.start(threads=2)
    offered(crew)
    jobs: list[int] = []

    def put_some(n: int) -> None:
        for _ in range(n):
            jobs.append(put(crew, "adds", a=len(jobs), b=0))
            time.sleep(0.004)

    put_some(40)
    second = crew.start(threads=2)
    put_some(40)
    first.signal(signal.SIGTERM)
    put_some(80)
    third = crew.start(threads=2)
    put_some(20)
    second.signal(signal.SIGTERM)
    put_some(80)
    for job_id in jobs:
        assert crew.queue.ending(job_id, within_s=10)["status"] == "succeeded"
        assert crew.queue.attempts(job_id) == ["succeeded"]
    assert sorted(entry["sum"] for entry in crew.diary("ran", task="adds")) == list(range(len(jobs)))
    assert (first.wait(), second.wait()) == (0, 0)
    assert crew.queue.statuses() == {}
    assert not any(each.said("Traceback") for each in (first, second, third))


def test_a_worker_that_was_told_to_be_quiet_is_handed_nothing(crew: Crew, ear: psycopg.Connection[Any]) -> None:
    crew.start()
    offered(crew)
    crew.queue.rows("UPDATE youtility_tasks_taskworker SET told = 'quiet'")
    until(lambda: crew.queue.rows("SELECT 1 WHERE NOT EXISTS (SELECT FROM youtility_tasks_offer)"))
    job_id = put(crew, "adds", a=1, b=2)
    assert list(ear.notifies(timeout=1, stop_after=1))
    assert crew.queue.statuses() == {job_id: "todo"}
    crew.queue.rows("UPDATE youtility_tasks_taskworker SET told = ''")
    ran_once(crew, job_id)
    offered(crew)


def test_a_draining_worker_makes_no_offer(crew: Crew) -> None:
    job_id = put(crew, "waits", until=str(crew.gate()))
    crew.start("--drain", threads=2)
    crew.began()
    time.sleep(1)
    assert crew.queue.rows("SELECT count(*) FROM youtility_tasks_offer") == [(0,)]
    crew.gate().touch()
    crew.queue.ending(job_id)


def test_a_worker_whose_registration_and_connection_are_gone_begins_anew(
    crew: Crew, ear: psycopg.Connection[Any]
) -> None:
    """After a failover to a standby that had not heard of it, or a restore."""
    supervisor = crew.start()
    key = offered(crew)
    ((before, pid),) = crew.queue.workers()
    with crew.queue.transaction():
        crew.queue.rows("DELETE FROM procrastinate_workers")
        crew.queue.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OF_OURS}")
    until(lambda: [each for each in crew.queue.workers() if each != (before, pid)], why="it registers anew")
    offered(crew, but_not=key)
    assert crew.queue.workers()[0][1] == pid
    assert not supervisor.said("worker died")
    crew.queue.ending(handed(crew, ear, "does_nothing"))


RESTS_BRIEFLY = Mutant("youtility_tasks.workers.offer", "Offer.rest", "REST_S", "1.5")


def test_a_worker_rests_when_who_enqueues_says_that_it_takes_long(crew: Crew) -> None:
    crew.start(mutant=RESTS_BRIEFLY, poll_interval_s=0.3)
    key = offered(crew)
    crew.queue.rows("SELECT pg_notify(channel, '') FROM youtility_tasks_offer")
    until(lambda: crew.queue.rows("SELECT 1 WHERE NOT EXISTS (SELECT FROM youtility_tasks_offer)"), why="it withdraws")
    crew.queue.ending(put(crew, "does_nothing"))
    offered(crew, but_not=key)
    crew.queue.ending(put(crew, "does_nothing"))
