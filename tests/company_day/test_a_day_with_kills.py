"""A day keeps its totals when its processes, and its player, are killed (real workers, real mail, real broker, SIGKILL)."""

from __future__ import annotations

import pytest


@pytest.mark.timeout(900)
def test_chaos_changes_no_total_of_another_day_in_a_used_database(play):
    # Given a day of another date whose player was killed in the middle of the morning.
    killed = play("--date", "2024-12-31", "--json")
    killed.wait_for_jobs(300)
    orphans = killed.family()
    killed.process.kill()
    killed.finish()

    # When another one is played there, a leap year's Wednesday, in chaos.
    playing = play("--date", "2024-02-14", "--seed", "7", "--chaos", "short", "--json")

    # Then its totals are those of an undisturbed day.
    assert playing.finish() == 0, playing.errors
    document = playing.document()
    assert document["ok"] is True
    assert [check for check in document["checks"] if not check["ok"]] == []
    assert {check["name"]: check["got"] for check in document["checks"]}["heartbeats"] == 1440
    assert not any(orphan.is_running() for orphan in orphans)
    # And it was no fair one.
    (told,) = [line for line in playing.errors.splitlines() if "chaos has killed" in line]
    assert all(who in told for who in ("child", "nursery", "worker", "sink", "supervisor"))
