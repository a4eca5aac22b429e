"""A day keeps its totals when its processes, and its player, are killed (real workers, real mail, SIGKILL)."""

from __future__ import annotations

import pytest

SINK = "--port 0"


@pytest.mark.timeout(420)
def test_kills_change_no_total_of_another_day_in_a_used_database(play):
    # Given a day of another date whose player was killed in the middle of the morning.
    killed = play("--date", "2024-12-31", "--json")
    killed.wait_for_jobs(300)
    orphans = killed.family()
    killed.process.kill()
    killed.finish()

    # When another one is played there, and one of each of its processes is killed.
    playing = play("--date", "2024-02-14", "--seed", "7", "--json")
    for jobs, named in (
        (350, "ild maintenance"),  # a process that runs tasks; names as Linux cuts them
        (600, "r high_priority"),  # the worker of a queue
        (800, SINK),  # the mail server
        (1000, "run_postgresql_worker"),  # the supervisor of all workers
    ):
        playing.wait_for_jobs(jobs)
        playing.kill_one(named)

    # Then its totals are those of an undisturbed day.
    assert playing.finish() == 0, playing.errors
    document = playing.document()
    assert document["ok"] is True
    assert [check for check in document["checks"] if not check["ok"]] == []
    assert {check["name"]: check["got"] for check in document["checks"]}["heartbeats"] == 1440
    assert not any(orphan.is_running() for orphan in orphans)
