"""A redrive that is killed, two at once, and whoever acts on the same letters meanwhile: each letter once, and none lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from tests import warm
from tests.integration.desk import Desk, rows
from tests.integration.sessions import Aside, aside, at_once
from youtility_tasks import acts, dead_letters, queries, tenant
from youtility_tasks.dead_letters import Letters
from youtility_tasks.models import Job, Redrive, TaskAuditLog

REPOSITORY = Path(__file__).resolve().parents[2]
LETTERS = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, noted, tenant_id, status, failed_at, attempts, fingerprint)
    SELECT 'maintenance', 't', false, 7, 'failed', clock_timestamp(), 3, 'aaaaaaaaaaaaaaaa' FROM generate_series(1, {n}) RETURNING id
"""
REDRIVES = """
import os, signal, sys
import django
django.setup()
from youtility_tasks import dead_letters, queries, tenant
from youtility_tasks.dead_letters import Letters

fetch, moves = queries.fetch, []

def counted(name, parameters):
    found = fetch(name, parameters)
    if name == "redrive_letters":
        moves.append(name)
        if len(moves) == 3:
            os.kill(os.getpid(), signal.SIGKILL)  # the letters are moved, and nothing of it is committed
    return found

queries.fetch = counted
with tenant(7):
    dead_letters.redrive(Letters(), rate_per_s=1000, batch=100)
"""


def test_a_redrive_that_is_killed_goes_on_where_it_stopped_when_it_is_run_again(fresh_database: Any) -> None:
    fresh_database.rows(LETTERS.format(n=1000))
    env = {**os.environ, **fresh_database.env, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings"}
    killed = subprocess.run([sys.executable, "-c", REDRIVES], cwd=REPOSITORY, env=env, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    seen = "SELECT status::text, claim_number, count(*) FROM procrastinate_jobs GROUP BY 1, 2 ORDER BY 1"
    assert fresh_database.rows(seen) == [("failed", 0, 800), ("todo", 1, 200)]

    words = ["dead-letters", "redrive", "--all", "--tenant", "7", "--rate", "1000/s", "--json"]
    again = warm.run(
        [sys.executable, "-m", "django", "manage_task_queue", *words],
        cwd=REPOSITORY, env=env, capture_output=True, text=True,
    )  # fmt: skip

    assert again.returncode == 0, again.stderr
    said = json.loads(again.stdout)["redrive"]
    assert (said["letters"], said["done"], said["status"]) == (1000, 1000, "ended")
    assert fresh_database.rows(seen) == [("todo", 1, 1000)], "each once"
    ((at_once_,),) = fresh_database.rows(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM procrastinate_jobs GROUP BY scheduled_at) s"
    )
    assert at_once_ == 1, "they come one by one"
    entered = fresh_database.rows(
        "SELECT after -> 'jobs' FROM youtility_tasks_taskauditlog WHERE act = 'redrive' AND after ? 'jobs'"
    )
    assert Counter(each for (jobs,) in entered for each in jobs).most_common(1)[0][1] == 1


@pytest.fixture
def other(committed: None) -> Iterator[Aside]:
    with aside() as session:
        yield session


def letters(n: int) -> list[int]:
    return [job_id for (job_id,) in rows(LETTERS.format(n=n))]


def claims() -> dict[int, int]:
    return dict(Counter(Job.objects.filter(status="todo").values_list("claim_number", flat=True)))


def test_two_redrives_of_the_same_letters_move_each_once(committed: None) -> None:
    letters(300)

    def one(n: int) -> Redrive:
        with tenant(7):
            return dead_letters.redrive(Letters(), rate_per_s=n + 1, batch=20)

    done = at_once(2, one)

    assert done[0].pk != done[1].pk
    assert sum(each.done_count for each in done) == 300
    assert claims() == {1: 300}


def test_two_who_ask_for_the_very_same_go_on_with_one(committed: None) -> None:
    letters(300)

    def one(_: int) -> Redrive:
        with tenant(7):
            return dead_letters.redrive(Letters(), rate_per_s=10, batch=20)

    at_once(2, one)

    # The second may have come when the first had ended: then it found nothing more.
    found = list(Redrive.objects.order_by("pk"))
    assert sum(each.done_count for each in found) == 300
    assert all(each.ended_at for each in found)
    assert claims() == {1: 300}


def test_two_that_begin_the_very_same_at_the_same_moment_are_one(other: Aside) -> None:
    letters(3)

    def begin() -> Redrive:
        with tenant(7):
            return dead_letters.redrive(Letters(), batch=1, most_s=0)

    with transaction.atomic():
        first = begin()
        second = other.start(begin)
        other.until_it_waits()

    assert second.result(10).pk == first.pk
    assert Redrive.objects.get().done_count == 2
    assert TaskAuditLog.objects.filter(target=f"redrive {first.pk}").count() == 1


def test_a_redrive_waits_for_whoever_discards_a_letter_and_leaves_that_one_alone(other: Aside) -> None:
    gone, stays = letters(2)

    def redrive() -> Redrive:
        with tenant(7):
            return dead_letters.redrive(Letters())

    with transaction.atomic():
        acts.discard(gone, "sold")
        done = other.start(redrive)
        other.until_it_waits()

    row = done.result(10)
    assert (row.total_count, row.done_count, row.refused_count) == (2, 1, 0)
    assert list(Job.objects.values_list("pk", "status")) == [(stays, "todo")]


def test_a_redrive_waits_for_whoever_retries_a_letter_and_moves_it_no_second_time(other: Aside) -> None:
    """Without the second look at the status, after the lock, it would."""
    letter, _ = letters(2)

    def redrive() -> Redrive:
        with tenant(7):
            return dead_letters.redrive(Letters())

    with transaction.atomic():
        acts.retry(letter)
        done = other.start(redrive)
        other.until_it_waits()

    assert done.result(10).done_count == 1
    assert claims() == {1: 2}


def test_letters_that_are_discarded_and_redriven_at_once_are_one_or_the_other(committed: None) -> None:
    made = letters(300)

    def act(n: int) -> Any:
        with tenant(7):
            if n:
                return {each.job_id for each in dead_letters.discard(Letters(), "sold").done}
            dead_letters.redrive(Letters(), batch=20)
            return set()

    _, discarded = at_once(2, act)

    redriven = set(Job.objects.filter(status="todo").values_list("pk", flat=True))
    assert redriven | discarded == set(made) and not redriven & discarded


def test_a_worker_that_takes_what_was_redriven_is_in_nobodys_way(committed: None) -> None:
    letters(200)

    def act(n: int) -> Any:
        if n:
            desk, ended = Desk(), 0
            while ended < 200:
                ended += len(desk.finish_all([(each, "failed", {"error_class": "E"}) for each in desk.claim(10)]))
            return ended
        with tenant(7):
            return dead_letters.redrive(Letters(), batch=20).done_count

    assert at_once(2, act) == [200, 200]
    assert Counter(Job.objects.values_list("status", "claim_number", "attempts_before")) == {("failed", 2, 3): 200}


@pytest.mark.parametrize("lock", ["   FOR UPDATE\n", ""], ids=["locked", "a mutant without the lock"])
def test_two_that_go_on_with_one_redrive_take_its_batches_in_turn(
    other: Aside, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    """Without the lock the second one takes the first one's batch for its own, finds it gone, and passes over it."""
    statement = queries.statement
    held = statement("hold_redrive")
    assert "   FOR UPDATE\n" in held
    monkeypatch.setattr(
        queries,
        "statement",
        lambda name: held.replace("   FOR UPDATE\n", lock) if name == "hold_redrive" else statement(name),
    )
    letters(4)
    with tenant(7):
        left = dead_letters.redrive(Letters(), batch=1, most_s=0)

    def go_on() -> Redrive:
        with tenant(7):
            return dead_letters.go_on(left.pk, batch=1, most_s=0)

    with transaction.atomic():
        go_on()
        second = other.start(go_on)
        other.until_it_waits()
    second.result(10)

    assert Job.objects.filter(status="todo").count() == (3 if lock else 2)
