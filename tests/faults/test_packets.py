"""Packets vanish on the way: no error on either side, only silence. The worker sits in a network of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.crew import QUICK, Crew, Supervisor, is_alive, until
from tests.faults.ground import Network, crew_of, network, own_server
from youtility_tasks.standalone.server import Server


@pytest.fixture(scope="module")
def cable() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture(scope="module")
def server(cable: Network) -> Iterator[Server]:
    """It listens on this host's end of the cable as well."""
    with own_server("-c", f"listen_addresses={cable.here}") as made:
        with (made.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {cable.there}/32 trust\n")
        with psycopg.connect(made.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
        yield made


@pytest.fixture
def crew(server: Server, tmp_path: Path) -> Iterator[Crew]:
    with crew_of(server, tmp_path) as made:
        yield made


def start_over_there(crew: Crew, cable: Network) -> Supervisor:
    """A supervisor on the other host; further ones are here again."""
    there = Crew(
        crew.queue, {**crew.env, "DATABASE_URL": f"postgresql://youtility@{cable.here}/youtility"}, crew.folder
    )
    there.inside, there.supervisors = list(cable.inside), crew.supervisors
    return there.start(threads=2, statement_deadline_s=0.7)


def test_a_worker_that_hears_and_says_nothing_stops_its_children_and_comes_back(crew: Crew, cable: Network) -> None:
    cut_off = start_over_there(crew, cable)
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    (begun,) = crew.began()
    crew.start()

    cable.drop_everything()
    try:
        again = crew.began(2)
        until(lambda: not is_alive(begun["pid"]), within_s=QUICK["lease_s"] + 5, why="the child outlives the lease")
        assert again[1]["at"] - again[0]["at"] < 15
        gate.touch()
        assert crew.queue.ending(job_id)["status"] == "succeeded"
        assert crew.queue.attempts(job_id) == ["lost", "succeeded"]
        assert len(crew.diary("end")) == 1
    finally:
        cable.recover()

    until(lambda: len(crew.queue.workers()) == 2, why="it has registered anew")
    assert cut_off.process.poll() is None


def test_a_claim_whose_answers_are_dropped_runs_elsewhere_and_only_there(
    crew: Crew, cable: Network, server: Server
) -> None:
    cut_off = start_over_there(crew, cable)
    gate = crew.gate()
    gate.touch()

    with crew.queue.transaction():  # its claim waits at the server until the answers are dropped
        crew.queue.rows("LOCK TABLE procrastinate_jobs IN ACCESS EXCLUSIVE MODE")
        job_id = crew.queue.put("waits", until=str(gate))
        until(lambda: claims_that_wait(server), why="it claims")
        cable.drop_answers()
    try:
        until(lambda: crew.queue.statuses() == {job_id: "doing"}, why="it was claimed")
        crew.start()
        assert crew.queue.ending(job_id)["status"] == "succeeded"
    finally:
        cable.recover()

    assert crew.queue.attempts(job_id) == ["lost", "succeeded"]
    assert len(crew.diary("begin")) == 1
    until(lambda: len(crew.queue.workers()) == 2, why="it has registered anew")
    assert cut_off.process.poll() is None


def claims_that_wait(server: Server) -> list[tuple[int]]:
    waiting = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%_pump_%' AND wait_event_type = 'Lock'"
    with psycopg.connect(server.url()) as connection:
        return connection.execute(waiting).fetchall()
