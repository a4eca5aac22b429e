"""A worker that must not run does not; the tests' own database has fsync off, and its role is a superuser."""

from __future__ import annotations

from tests.acceptance.crew import Crew, until


def test_a_refused_worker_ends_with_1_and_is_not_started_again(crew: Crew) -> None:
    supervisor = crew.start(ready=False, allow_unsafe_database=False)

    assert supervisor.wait() == 1
    assert supervisor.said("right is")
    assert not supervisor.said("worker died")
    assert crew.queue.workers() == []


def test_a_worker_in_development_says_so_loudly_and_once(crew: Crew) -> None:
    supervisor = crew.start()

    until(lambda: supervisor.said("worker started"))
    warnings = [line for line in supervisor.log.read_text().splitlines() if "NOT FOR PRODUCTION" in line]
    assert len(warnings) == 1
    assert " WARNING " in warnings[0]
    assert "allow_unsafe_database is set" in warnings[0]
