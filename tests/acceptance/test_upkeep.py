"""Workers keep house: the history's days are there, and a failure of upkeep leaves the jobs alone."""

from __future__ import annotations

import pytest

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, Queue, until


def test_a_worker_makes_the_days_of_the_history(crew: Crew) -> None:
    crew.start(upkeep_interval_s=0.2, history_days_ahead=2)

    until(lambda: crew.queue.rows("SELECT 1 FROM youtility_tasks_history_days_v1()"), why="days were made")
    job = crew.queue.put("adds", a=1, b=2)
    crew.queue.ending(job)

    ((home,),) = crew.queue.rows("SELECT tableoid::regclass::text FROM youtility_tasks_history")
    assert home.startswith("youtility_tasks_history_2")
    assert len(crew.queue.rows("SELECT 1 FROM youtility_tasks_history_days_v1()")) == 3


def test_a_failure_of_upkeep_is_logged_and_the_worker_works_on(crew: Crew) -> None:
    crew.queue.rows(
        "CREATE OR REPLACE FUNCTION youtility_tasks_add_history_day_v1(p_day date, p_most integer DEFAULT 200000)"
        " RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$"
    )
    supervisor = crew.start(upkeep_interval_s=0.2)
    (worker,) = crew.queue.workers()

    until(lambda: supervisor.said("upkeep failed duty=make history days"), why="the failure is logged")
    crew.queue.ending(crew.queue.put("adds", a=1, b=2))

    ((error,),) = crew.queue.rows("SELECT error FROM youtility_tasks_upkeepduty WHERE name = 'make history days'")
    assert "no room" in error
    until(lambda: crew.queue.rows("SELECT 1 FROM youtility_tasks_upkeepduty WHERE name = 'remove old' AND error = ''"))
    assert crew.queue.workers() == [worker]


BY_HAND = """
    DO $$ BEGIN
        CREATE TABLE today (LIKE youtility_tasks_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
        EXECUTE format('ALTER TABLE youtility_tasks_history ATTACH PARTITION today FOR VALUES FROM (%%L) TO (%%L)',
                       (now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 1);
    END $$
"""


@pytest.mark.parametrize(
    "mutant", [None, Mutant("youtility_tasks.workers.link", "Link.ask", "psycopg.errors.CheckViolation, ", "")]
)
def test_a_job_that_ends_while_its_day_is_made_by_hand_is_recorded_by_the_same_worker(
    crew: Crew, mutant: Mutant | None
) -> None:
    """Its row was on the way to the DEFAULT partition, which may hold no row of that day any more."""
    supervisor = crew.start(mutant=mutant)
    with crew.queue.transaction():
        crew.queue.rows(BY_HAND)
        other = Queue(crew.queue.url)
        job_id = other.put("adds", a=1, b=2)
        crew_waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(lambda: other.rows(crew_waits), within_s=5, why="the ending waits for the partition")
        other.close()

    assert crew.queue.ending(job_id)["outcome"] == "succeeded"
    assert supervisor.said("worker died") is (mutant is not None)
