"""What a claim takes, in which order, and what it leaves alone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import DatabaseError
from django.utils import timezone

from tests.integration.desk import Claimed, Desk, execute, job, rescue, rows, statuses
from tests.integration.mutants import definition, must_catch, undone
from youtility_tasks import Task, queues, tenant

CLAIM = "youtility_tasks_claim_v2"
READY = "youtility_tasks_ready_v2"
HEADS = "youtility_tasks_lock_heads_v2"
FIRST_OF_LOCKS = "youtility_tasks_first_of_locks_v1"
NOT_RUNNING = "(SELECT 1 FROM procrastinate_jobs d WHERE d.lock = l.lock AND d.status = 'doing' LIMIT 1) IS NULL"
LATER = dt.timedelta(hours=1)


def ids(claimed: list[Claimed]) -> list[int]:
    return [each.id for each in claimed]


def put(task: Task, n: int = 1, **options: object) -> list[int]:
    return [int(task.using(**options).enqueue(number=number).id) for number in range(n)]


# -- order


def test_the_most_urgent_job_goes_first_and_the_oldest_of_equals(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        low, high, middle = (put(sweep_task, 2, priority=priority) for priority in (9, 1, 5))

        assert ids(desk.claim(1)) == high[:1]
        assert ids(desk.claim(10)) == [high[1], *middle, *low]

    must_catch(check, CLAIM, "ORDER BY -j.priority, j.tenant_id, j.id", "ORDER BY j.priority, j.tenant_id, j.id")
    must_catch(check, CLAIM, "array_agg(t.j ORDER BY t.n)", "array_agg(t.j ORDER BY -t.n)")


def test_a_job_that_has_come_due_takes_its_place_by_priority(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        (low,) = put(sweep_task, priority=9)
        (due,) = put(sweep_task, priority=5, run_after=timezone.now() - LATER)
        (urgent,) = put(sweep_task, priority=1)

        assert [ids(desk.claim(1)) for _ in range(4)] == [[urgent], [due], [low], []]

    must_catch(check, CLAIM, "ORDER BY p.level, p.tag, p.id LIMIT p_n", "ORDER BY p.id LIMIT p_n")


def test_a_future_job_is_left_until_it_is_due(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        (future,) = put(sweep_task, run_after=timezone.now() + LATER)
        assert desk.claim() == []

        execute("UPDATE procrastinate_jobs SET scheduled_at = clock_timestamp() WHERE id = %s", future)
        assert ids(desk.claim()) == [future]

    must_catch(check, CLAIM, "j.scheduled_at <= instant", "true")


def test_a_worker_serves_its_own_queue_alone(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        now_and_due = [put(sweep_task, queue_name=queues.EMAIL, **more) for more in ({}, {"run_after": timezone.now()})]
        assert desk.claim() == []
        assert len(desk.claim(queue_name=queues.EMAIL)) == len(now_and_due)

    must_catch(check, CLAIM, "j.queue_name = p_queue", "true")


@pytest.mark.parametrize("n", [1, 3, 7])
def test_a_claim_takes_no_more_than_it_asked_for(desk: Desk, sweep_task: Task, n: int) -> None:
    put(sweep_task, 4)
    put(sweep_task, 4, run_after=timezone.now() - LATER)

    assert len(desk.claim(n)) == n
    assert list(statuses().values()).count("doing") == n


@pytest.mark.parametrize("status", ["doing", "succeeded", "failed", "cancelled", "aborted"])
def test_only_waiting_jobs_are_claimed(desk: Desk, sweep_task: Task, status: str) -> None:
    put(sweep_task, 2)
    execute("UPDATE procrastinate_jobs SET status = %s", status)

    assert desk.claim() == []


# -- what a claim writes


def test_a_claim_tells_the_worker_what_it_needs_and_names_it_as_the_holder(
    desk: Desk, add_task: Task, acme: int
) -> None:
    with tenant(acme):
        job_id = int(add_task.using(lock="l").enqueue(number=4).id)

    claimed = desk.take()

    assert claimed.id == job_id
    assert (claimed.task_name, claimed.args, claimed.tenant_id) == ("add", {"number": 4}, acme)
    assert (claimed.attempts, claimed.claim_number, claimed.crash_count, claimed.has_lock) == (0, 1, 0, True)
    row = job(job_id)
    assert (row.status, row.worker_id, row.claim_number) == ("doing", desk.id, 1)
    assert row.claimed_at is not None
    assert row.claimed_at >= row.enqueued_at


def test_every_claim_draws_a_new_number(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task)
        first = desk.take()
        assert desk.finish(first, "released")
        second = desk.take()

        assert second.claim_number > first.claim_number
        # What the first claim was about to write must not meet the second, although job, worker and attempt agree.
        assert not desk.finish(first, "succeeded")
        assert desk.finish(second, "succeeded")

    must_catch(check, CLAIM, "claim_number = j.claim_number + 1", "claim_number = j.claim_number")


def test_the_clock_of_a_claim_is_the_databases_and_not_the_transactions(desk: Desk, sweep_task: Task) -> None:
    put(sweep_task)
    desk.take()

    ((is_later,),) = rows("SELECT claimed_at > now() FROM procrastinate_jobs")

    assert is_later


def test_a_worker_that_was_rescued_gets_nothing_and_is_answered_all_the_same(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task, 2)
        (held,) = desk.claim(1)
        desk.fall_silent()
        assert rescue() == {held.id: "rescued"}

        assert desk.claim() == []
        assert not desk.finish(held, "succeeded")

        assert set(statuses().values()) == {"todo"}

    must_catch(check, CLAIM, "WHEN foreign_key_violation THEN", "WHEN division_by_zero THEN")


# -- locks


def test_one_claim_never_takes_two_jobs_of_a_lock(desk: Desk, locked_task: Task) -> None:
    def check() -> None:
        first, second, third = (int(locked_task.enqueue(key="a", number=n).id) for n in range(3))

        assert ids(desk.claim()) == [first]
        assert desk.claim() == []
        assert statuses() == {first: "doing", second: "todo", third: "todo"}

    must_catch(check, CLAIM, "j.scheduled_at IS NULL AND j.lock IS NULL AND", "j.scheduled_at IS NULL AND")


def test_a_running_lock_holds_back_its_own_jobs_and_no_others(desk: Desk, locked_task: Task) -> None:
    def check() -> None:
        running = locked_task.enqueue(key="a")
        assert ids(desk.claim()) == [int(running.id)]
        locked_task.enqueue(key="a", number=1)
        free = locked_task.enqueue(key="b")

        assert ids(desk.claim()) == [int(free.id)]

    must_catch(check, FIRST_OF_LOCKS, NOT_RUNNING, "true")


def test_the_next_of_a_lock_runs_once_the_first_has_ended(desk: Desk, locked_task: Task) -> None:
    first, second = (int(locked_task.enqueue(key="a", number=n).id) for n in range(2))
    held = desk.take()
    assert held.id == first

    assert desk.finish(held, "succeeded")

    assert ids(desk.claim()) == [second]


def test_a_future_job_that_is_first_of_its_lock_holds_back_the_later_ones(desk: Desk, locked_task: Task) -> None:
    """procrastinate's rule, so that its worker and ours agree: `test_procrastinate` compares them."""
    locked_task.using(run_after=timezone.now() + LATER).enqueue(key="a")
    locked_task.enqueue(key="a", number=1)
    free = locked_task.enqueue(key="b")

    assert ids(desk.claim()) == [int(free.id)]


def test_a_more_urgent_job_of_a_lock_goes_before_an_older_one(desk: Desk, locked_task: Task) -> None:
    locked_task.using(priority=9).enqueue(key="a")
    urgent = locked_task.using(priority=1).enqueue(key="a", number=1)

    assert ids(desk.claim()) == [int(urgent.id)]


def test_a_lock_reaches_over_queues(desk: Desk, locked_task: Task) -> None:
    held = locked_task.enqueue(key="a")
    locked_task.using(queue_name=queues.EMAIL).enqueue(key="a", number=1)
    assert ids(desk.claim()) == [int(held.id)]

    assert desk.claim(queue_name=queues.EMAIL) == []


def test_two_tenants_with_the_same_lock_run_side_by_side(
    desk: Desk, locked_task: Task, acme: int, other_tenant: int
) -> None:
    for client in (acme, other_tenant):
        with tenant(client):
            locked_task.enqueue(key="same")
    locked_task.enqueue(key="same")

    assert len(desk.claim()) == 3


@pytest.mark.parametrize("is_due", [False, True])
def test_a_crowd_behind_one_lock_hides_nobody(desk: Desk, locked_task: Task, is_due: bool) -> None:
    """More blocked jobs, and more urgent ones, than the bounded walk looks at."""

    def check() -> None:
        when = timezone.now() - LATER if is_due else None
        crowd, rest = (locked_task.using(priority=priority, run_after=when) for priority in (1, 9))
        crowd.enqueue(key="a")
        assert len(desk.claim(1)) == 1
        for number in range(130):
            crowd.enqueue(key="a", number=number + 1)
        others = [int(rest.enqueue(key=key).id) for key in ("b", "c")]

        assert ids(desk.claim(5)) == others

    must_catch(check, HEADS, "IF seen < walk THEN", "IF true THEN")


def test_a_head_that_was_put_back_for_later_is_not_run_early(desk: Desk, locked_task: Task) -> None:
    """Between finding the first of a lock and taking it another worker may run it and put it back."""

    def check() -> None:
        later = int(locked_task.using(run_after=timezone.now() + LATER).enqueue(key="a").id)
        execute(
            f"""CREATE OR REPLACE FUNCTION {HEADS}(
                    p_queue text, p_now timestamptz, p_n integer, p_is_idle boolean, p_all boolean DEFAULT false)
                RETURNS bigint[] LANGUAGE sql STABLE AS $$ SELECT ARRAY[{later}]::bigint[] $$"""
        )

        assert desk.claim() == []

    must_catch(check, CLAIM, "AND (j.scheduled_at IS NULL OR j.scheduled_at <= instant)", "")


def look_again(desk: Desk, n: int) -> tuple[list[int], bool]:
    """What a claim took, and whether the worker is told to look again at once."""
    *claimed, (_, again, *_) = desk.pump(n)
    return [row[3] for row in claimed], bool(again)


@pytest.mark.usefixtures("never_slow")
def test_neither_a_crowd_nor_many_locks_hide_a_job_whose_lock_is_free(
    desk: Desk, other_desk: Desk, locked_task: Task, sweep_task: Task
) -> None:
    """A worker that has other work looks at a few locks a claim, and goes on where it stopped until it saw them all."""

    def check() -> None:
        busy = [locked_task.enqueue(key=f"busy {number:03}") for number in range(200)]
        assert len(other_desk.claim(200)) == len(busy)
        for number in range(200):
            locked_task.enqueue(key=f"busy {number:03}", number=1)
        free = int(locked_task.enqueue(key="z").id)
        put(sweep_task, 40)

        for _ in range(20):
            taken, again = look_again(desk, 2)
            if free in taken:
                return
            assert again or taken == []
        raise AssertionError("it was never found")

    must_catch(check, HEADS, "coalesce(resume ->> tenants[n]::text, '')", "''")
    must_catch(check, HEADS, "IF cardinality(visited) > visits THEN", "IF false THEN")


@pytest.mark.usefixtures("never_slow")
def test_a_worker_that_is_idle_looks_at_every_lock_in_one_go(desk: Desk, other_desk: Desk, locked_task: Task) -> None:
    def check() -> None:
        for number in range(200):
            locked_task.enqueue(key=f"busy {number:03}")
        assert len(other_desk.claim(200)) == 200
        for number in range(200):
            locked_task.enqueue(key=f"busy {number:03}", number=1)
        free = int(locked_task.using(priority=9).enqueue(key="z").id)

        assert ids(desk.claim(2)) == [free]

    must_catch(check, HEADS, "heads IS NOT NULL OR NOT p_is_idle OR", "true OR")


@pytest.mark.usefixtures("never_slow")
def test_a_look_that_began_among_the_later_locks_ends_with_the_earlier_ones(
    desk: Desk, other_desk: Desk, locked_task: Task, sweep_task: Task
) -> None:
    """The lock that a new job brings may lie before the place at which the last look stopped."""

    def check() -> None:
        for number in range(200):
            locked_task.enqueue(key=f"busy {number:03}")
        assert len(other_desk.claim(200)) == 200
        for number in range(200):
            locked_task.enqueue(key=f"busy {number:03}", number=1)
        put(sweep_task, 3)
        assert look_again(desk, 2)[1]
        first = int(locked_task.using(priority=10).enqueue(key="a").id)

        taken: list[int] = []
        again = True
        while again:
            found, again = look_again(desk, 20)
            taken += found
        assert first in taken

    must_catch(check, HEADS, "AND resume ? tenants[n]::text THEN", "AND false THEN")


# -- when looking is slow


FAR = "infinity"


def remember(until: str, job_id: int, *, tenant_id: int = 0, priority: int = 6) -> None:
    execute(
        "SELECT set_config('youtility_tasks.floors', %s, false)",
        f"{until}|{{{-priority}}}|{{{tenant_id}}}|{{{job_id}}}|infinity",
    )


def test_after_slow_looks_a_claim_starts_where_the_last_one_ended(desk: Desk, sweep_task: Task) -> None:
    """While an old snapshot keeps the index entries of ended jobs, what lies before is not walked past each time."""

    def check() -> None:
        before, after = put(sweep_task, 3), put(sweep_task, 9)
        remember(FAR, before[-1])

        assert ids(desk.claim(2)) == after[:2]
        assert ids(desk.claim(1)) == after[2:3]
        remember("-infinity", before[-1])
        assert ids(desk.claim(2)) == before[:2]

    must_catch(check, READY, "(s.tenant_id, coalesce(s.floor, -1))", "(s.tenant_id, 0::bigint)")
    must_catch(check, CLAIM, "coalesce(instant < floors[1]::timestamptz, false)", "floors IS NOT NULL")


def test_a_claim_that_finds_less_than_it_wants_looks_everywhere(
    desk: Desk, sweep_task: Task, locked_task: Task
) -> None:
    def check() -> None:
        before, after = put(sweep_task, 2), put(sweep_task, 2)
        due = put(sweep_task, run_after=timezone.now() - LATER)
        locked = int(locked_task.enqueue(key="a").id)
        urgent = put(sweep_task, priority=1)
        remember(FAR, before[-1])

        assert ids(desk.claim(10)) == [*urgent, *before, *after, *due, locked]

    must_catch(check, CLAIM, "EXIT WHEN NOT is_short OR", "EXIT WHEN true OR")


def test_two_slow_looks_make_the_next_claims_short(desk: Desk, sweep_task: Task) -> None:
    def check() -> None:
        put(sweep_task, 10)
        seen = []
        for _ in range(3):
            desk.claim(2)
            seen.append(rows("SELECT current_setting('youtility_tasks.floors')")[0][0].split("|"))

        assert seen[0][0] == "-infinity"
        assert rows("SELECT %s::timestamptz > clock_timestamp() - interval '1 minute'", seen[1][0]) == [(True,)]
        assert seen[1][1:3] == ["{-6}", "{0}"]
        assert int(seen[2][3][1:-1]) == int(seen[1][3][1:-1]) + 2

    original = definition(CLAIM)
    execute(original.replace("'3 ms'", "'-1 s'").replace("10 * took", "interval '1 minute'").replace("%", "%%"))
    check()
    execute(original.replace("%", "%%"))
    with pytest.raises((AssertionError, DatabaseError)), undone():
        check()
