"""The server's disks fill up: enqueueing fails with a clear error, nobody exits, and nothing is lost once there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.crew import Crew, is_alive, until
from tests.faults.ground import crew_of, own_server, small_disk
from youtility_tasks.standalone.server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """It keeps little of its log, so that a small disk is full soon."""
    with own_server("-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB") as made:
        yield made


def until_it_is_refused(crew: Crew) -> list[int]:
    """Put jobs until the server takes no more; those that it took."""
    jobs: list[int] = []
    try:
        while True:
            jobs.append(crew.queue.put("carries", load=os.urandom(20_000).hex()))
            assert len(jobs) < 3_000, "the disk is not full"
    except psycopg.OperationalError as error:
        crew.queue.close()
        assert isinstance(error, psycopg.errors.DiskFull) or error.sqlstate is None
    return jobs


def each_ended_once(crew: Crew, jobs: list[int]) -> None:
    until(lambda: crew.queue.statuses() == {}, within_s=20, why="nothing is left")
    ended = crew.queue.rows(
        "SELECT job_id, count(*) FROM youtility_tasks_history WHERE status = 'succeeded' GROUP BY job_id"
    )
    assert sorted(ended) == [(job_id, 1) for job_id in jobs]


def test_a_full_data_disk_is_an_error_for_who_enqueues_and_a_delay_for_the_rest(server: Server, tmp_path: Path) -> None:
    with small_disk(server, "base", room_mib=24) as disk, crew_of(server, tmp_path) as crew:
        supervisor = crew.start(threads=2)
        ((_, worker),) = crew.queue.workers()
        gate = crew.gate()
        running = crew.queue.put("waits", until=str(gate))
        crew.began()

        with disk.full():
            jobs = until_it_is_refused(crew)
            gate.touch()
            until(lambda: supervisor.said("queue out of reach"), why="an end could not be recorded")

        each_ended_once(crew, [running, *jobs])
        assert supervisor.process.poll() is None
        assert is_alive(worker)


def test_a_full_log_disk_stops_the_server_and_nothing_is_lost(server: Server, tmp_path: Path) -> None:
    with small_disk(server, "pg_wal", room_mib=40) as disk, crew_of(server, tmp_path) as crew:
        supervisor = crew.start(threads=2)
        # Or its files are used again as fast as a slow machine writes them.
        crew.queue.rows("SELECT pg_create_physical_replication_slot('keeps_all', true)")

        with disk.full():
            jobs = until_it_is_refused(crew)
            until(lambda: server.pid() is None, why="the server has given up")
        server.start()

        each_ended_once(crew, jobs)
        crew.queue.rows("SELECT pg_drop_replication_slot('keeps_all')")
        assert supervisor.process.poll() is None
