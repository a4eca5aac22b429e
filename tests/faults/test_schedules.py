"""Schedules on real workers: many of them, killed and frozen in the middle, with locks in the way and wrong clocks."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.acceptance.app.mutants import Mutant
from tests.acceptance.crew import Crew, until
from tests.conftest import require_program
from youtility_tasks import failpoints

FOUR = ("maintenance", "email", "reports", "high_priority")
NO_NOTICE = Mutant("youtility_tasks.workers.worker", "Worker._hear", "self.ticker.wake.set()", "pass")
NO_SKIP = Mutant(
    "youtility_tasks.queries",
    "statement",
    '.read_text(encoding="utf-8")',
    '.read_text(encoding="utf-8").replace("FOR UPDATE SKIP LOCKED", "FOR UPDATE").replace("\'lock_timeout\'", "\'test.none\'")',
)
NO_TRANSACTION = Mutant(
    "youtility_tasks.schedules.firing",
    "fire",
    "with tenant_of(tenant_id), transaction.atomic(using=settings().database):",
    "with tenant_of(tenant_id):",
)


def put(crew: Crew, name: str, task: str = "does_nothing", **said: Any) -> int:
    """A schedule, by SQL; unless said otherwise every second from now on."""
    ((now,),) = crew.queue.rows("SELECT date_trunc('second', clock_timestamp())")
    row = {
        "tenant_id": 0, "name": name, "task_name": task, "args": Jsonb({}), "tick_argument": "", "queue_name": "", "kind": "interval",
        "cron": "", "every_s": 1, "at": now, "zone": "", "days": "every_day", "working_weekdays": "12345", "jitter_s": 0,
        "missed": "all", "missed_most": 1000, "grace_s": 60, "overlap": "allow", "is_paused": False, "paused_by": "",
        "pause_reason": "", "version": 1, "changed_by": "", "live_jobs": Jsonb([]), "next_at": now, "settled_to": now, **said,
    }  # fmt: skip
    names, places = ", ".join(f'"{each}"' for each in row), ", ".join(["%s"] * len(row))
    statement = f"INSERT INTO youtility_tasks_scheduledtask ({names}) VALUES ({places}) RETURNING id"
    return int(crew.queue.rows(statement, *row.values())[0][0])


def occurrences(crew: Crew, schedule_id: int) -> list[tuple[Any, ...]]:
    """(tick, outcome, reason, job) by tick."""
    return crew.queue.rows(
        "SELECT tick_at, outcome, reason, job_id FROM youtility_tasks_scheduledtaskexecution WHERE schedule_id = %s ORDER BY tick_at",
        schedule_id,
    )


def fired(crew: Crew, schedule_id: int, n: int, *, within_s: float = 20) -> list[tuple[Any, ...]]:
    def see() -> list[tuple[Any, ...]]:
        found = [each for each in occurrences(crew, schedule_id) if each[1] == "fired"]
        return found if len(found) >= n else []

    return until(see, within_s=within_s, why=f"{n} ticks of schedule {schedule_id}")


def made_jobs(crew: Crew) -> int:
    """Jobs that ever were: in the queue, and ended."""
    ((count,),) = crew.queue.rows(
        "SELECT count(*) FROM (SELECT id FROM procrastinate_jobs UNION SELECT job_id FROM youtility_tasks_history) j"
    )
    return int(count)


def stop(crew: Crew, schedule_id: int) -> None:
    crew.queue.rows("UPDATE youtility_tasks_scheduledtask SET next_at = NULL WHERE id = %s", schedule_id)


def reconciled(crew: Crew, schedule_id: int) -> int:
    """One job a tick, one tick a second, and none that is not told of; how many."""
    stop(crew, schedule_id)
    time.sleep(0.3)  # who has it now ends
    found = occurrences(crew, schedule_id)
    assert {outcome for _, outcome, *_ in found} == {"fired"}
    jobs = [job_id for *_, job_id in found]
    assert None not in jobs and len(set(jobs)) == len(jobs)
    assert made_jobs(crew) == len(jobs)
    gaps = {(b[0] - a[0]).total_seconds() for a, b in itertools.pairwise(found)}
    assert gaps <= {1.0}, "a tick is missing"
    return len(found)


def test_five_schedulers_make_one_job_a_tick(crew: Crew) -> None:
    crew.start(queues=FOUR)
    crew.start()
    schedule_id = put(crew, "every second")

    fired(crew, schedule_id, 8)

    assert reconciled(crew, schedule_id) >= 8


@pytest.mark.parametrize("mutant", [None, NO_TRANSACTION])
def test_a_worker_that_is_killed_between_a_tick_and_its_job_leaves_neither(
    crew: Crew, tmp_path: Path, mutant: Mutant | None
) -> None:
    once = tmp_path / "once"
    crew.env[failpoints.VARIABLE] = f"after_tick=kill:{once}"
    crew.start(queues=FOUR[:2], mutant=mutant)
    schedule_id = put(crew, "every second")

    until(once.exists, why="a worker was killed")
    fired(crew, schedule_id, 5)

    if mutant is None:
        assert reconciled(crew, schedule_id) >= 5
    else:
        assert [job_id for *_, job_id in occurrences(crew, schedule_id)].count(None) >= 1


def test_a_worker_that_is_frozen_between_a_tick_and_its_job_keeps_the_schedule_for_ten_seconds(
    crew: Crew, tmp_path: Path
) -> None:
    once = tmp_path / "once"
    crew.env[failpoints.VARIABLE] = f"after_tick=stop:{once}"
    crew.start(queues=FOUR[:2])
    schedule_id = put(crew, "every second")

    until(once.exists, why="a worker was frozen")
    fired(crew, schedule_id, 12, within_s=30)

    assert reconciled(crew, schedule_id) >= 12


@contextlib.contextmanager
def held(crew: Crew, schedule_id: int) -> Iterator[None]:
    """Somebody's session has the schedule's row, and thinks."""
    with psycopg.connect(crew.queue.url) as session:
        session.execute("SELECT 1 FROM youtility_tasks_scheduledtask WHERE id = %s FOR UPDATE", [schedule_id])
        yield


@pytest.mark.parametrize("waits", [False, True])
def test_who_locks_the_tables_of_schedules_and_operations_holds_up_no_job(crew: Crew, waits: bool) -> None:
    if waits:  # the mutant
        with psycopg.connect(crew.queue.url) as session:
            session.execute("ALTER FUNCTION youtility_tasks_due_schedules_v1 RESET lock_timeout")
    crew.start()
    one = put(crew, "one")
    fired(crew, one, 1)

    with psycopg.connect(crew.queue.url) as session:
        session.execute("LOCK TABLE youtility_tasks_scheduledtask, youtility_tasks_taskoperation")
        with pytest.raises(AssertionError, match="not within 4 s") if waits else contextlib.nullcontext():
            for n in range(15):
                crew.queue.ending(crew.queue.put("adds", a=n, b=2), within_s=4)
                time.sleep(0.2)
    fired(crew, one, 3)


@pytest.mark.parametrize("mutant", [None, NO_SKIP])
def test_who_holds_one_schedule_holds_up_neither_the_others_nor_the_pump(crew: Crew, mutant: Mutant | None) -> None:
    crew.start(mutant=mutant)
    one, other = (
        put(crew, "one"),
        put(crew, "other", at=None, kind="cron", cron="0 0 1 1 *", every_s=None, next_at=None),
    )
    fired(crew, one, 1)

    with held(crew, one):
        time.sleep(1.2)  # by now the held one is due
        crew.queue.rows(
            "UPDATE youtility_tasks_scheduledtask SET kind = 'interval', every_s = 1, at = clock_timestamp(), cron = '' WHERE id = %s",
            other,
        )
        if mutant is not None:
            time.sleep(5)
            assert occurrences(crew, other) == []
            return
        fired(crew, other, 3, within_s=8)
        crew.queue.ending(crew.queue.put("adds", a=1, b=2), within_s=5)
        behind = occurrences(crew, one)
    caught_up = fired(crew, one, len(behind) + 4)

    assert len(caught_up) > len(behind)
    for schedule_id in (one, other):
        ticks = [tick for tick, *_ in occurrences(crew, schedule_id)]
        assert {(b - a).total_seconds() for a, b in itertools.pairwise(ticks)} <= {1.0}


@pytest.mark.parametrize("mutant", [None, NO_NOTICE])
def test_a_change_takes_effect_within_a_second(crew: Crew, mutant: Mutant | None) -> None:
    crew.start(mutant=mutant, schedule_poll_s=30.0)
    schedule_id = put(crew, "one", kind="cron", cron="0 0 1 1 *", every_s=None, at=None, next_at=None)
    time.sleep(1.0)  # everybody sleeps

    ((changed_at,),) = crew.queue.rows(
        "UPDATE youtility_tasks_scheduledtask SET kind = 'interval', every_s = 1, at = clock_timestamp() + interval '100 ms', cron = ''"
        " WHERE id = %s RETURNING clock_timestamp()",
        schedule_id,
    )
    if mutant is not None:
        time.sleep(3)
        assert occurrences(crew, schedule_id) == []
        return
    (tick, _, _, job_id), *_ = fired(crew, schedule_id, 1)

    row = crew.queue.ending(job_id)
    enqueued_at = crew.queue.rows("SELECT enqueued_at FROM youtility_tasks_history WHERE job_id = %s", job_id)[0][0]
    assert row["outcome"] == "succeeded"
    assert (tick - changed_at).total_seconds() < 0.2
    assert (enqueued_at - changed_at).total_seconds() < 1.0


def test_workers_that_hear_nothing_look_all_the_same(crew: Crew) -> None:
    crew.start(mutant=NO_NOTICE, schedule_poll_s=0.5)
    fired(crew, put(crew, "one"), 2)


@pytest.mark.parametrize(("missed", "most", "count"), [("none", 1, 0), ("latest", 1, 1), ("all", 20, 20)])
def test_after_three_hours_without_workers_the_policy_has_its_count_and_says_so(
    crew: Crew, missed: str, most: int, count: int
) -> None:
    ((begin, now),) = crew.queue.rows("SELECT clock_timestamp() - interval '10900 s', clock_timestamp()")
    schedule_id = put(
        crew, "every five minutes", every_s=300, at=begin, settled_to=now, missed=missed, missed_most=most
    )
    crew.queue.rows(
        "UPDATE youtility_tasks_scheduledtask SET settled_to = settled_to - interval '3 hours', next_at = settled_to - interval '3 hours'"
        " WHERE id = %s",
        schedule_id,
    )

    supervisor = crew.start()

    def see() -> bool:
        return len(occurrences(crew, schedule_id)) >= 36

    until(see, within_s=10, why="every tick has a row")
    found = occurrences(crew, schedule_id)
    assert [outcome for _, outcome, *_ in found].count("fired") == count
    assert {reason for _, outcome, reason, _ in found if outcome == "skipped"} <= {"missed"}
    assert supervisor.said(f"fired={count} missed_policy={missed}") and supervisor.said(f"missed={36 - count}")


CLOCK = """
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    int failed = syscall(SYS_clock_gettime, id, t);
    if (!failed && id == CLOCK_REALTIME && getenv("TEST_CLOCK_S")) t->tv_sec += atoi(getenv("TEST_CLOCK_S"));
    return failed;
}
time_t time(time_t *p) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); if (p) *p = t.tv_sec; return t.tv_sec; }
int gettimeofday(struct timeval *p, void *z) {
    struct timespec t; clock_gettime(CLOCK_REALTIME, &t); p->tv_sec = t.tv_sec; p->tv_usec = t.tv_nsec / 1000; return 0;
}
"""
"""A host whose clock is off: put in front of the C library's."""


@pytest.mark.parametrize("offset", ["90", "-90"])
def test_hosts_whose_clocks_are_off_fire_by_the_databases_clock(crew: Crew, tmp_path: Path, offset: str) -> None:
    library = tmp_path / "clock.so"
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run(
        [require_program("cc", package="gcc"), "-shared", "-fPIC", "-o", library, tmp_path / "clock.c"], check=True
    )
    crew.env |= {"LD_PRELOAD": str(library), "TEST_CLOCK_S": offset}
    told = subprocess.run([sys.executable, "-c", "import time; print(time.time())"], env=crew.env, capture_output=True)
    assert abs(float(told.stdout) - time.time() - int(offset)) < 30, "the clock is off"
    crew.start()
    schedule_id = put(crew, "every second")

    fired(crew, schedule_id, 4)

    late = crew.queue.rows(
        "SELECT extract(epoch FROM decided_at - tick_at)::float8 FROM youtility_tasks_scheduledtaskexecution"
    )
    assert all(0 <= seconds < 30 for (seconds,) in late), late
    assert reconciled(crew, schedule_id) >= 4


def test_many_edits_while_it_fires_leave_each_tick_with_one_job_of_one_version(crew: Crew) -> None:
    crew.start(queues=FOUR[:3])
    schedule_id = put(crew, "edited", task="adds", args=Jsonb({"a": 0, "b": 0}))
    for n in range(1, 31):
        crew.queue.rows(
            "UPDATE youtility_tasks_scheduledtask SET args = %s WHERE id = %s", Jsonb({"a": n, "b": 0}), schedule_id
        )
        time.sleep(0.13)
    stop(crew, schedule_id)
    found = crew.queue.rows(
        "SELECT e.version, h.args FROM youtility_tasks_scheduledtaskexecution e JOIN youtility_tasks_history h USING (job_id)"
    )

    assert len(found) >= 2
    assert all(args["a"] == version - 1 for version, args in found), found


def test_a_worker_that_was_told_to_stop_fires_no_more(crew: Crew) -> None:
    supervisor = crew.start()
    job = crew.queue.put("waits", until=str(crew.gate()))
    crew.began(1)
    schedule_id = put(crew, "every second")
    fired(crew, schedule_id, 1)

    supervisor.signal(signal.SIGTERM)
    crew.next_heartbeat("draining")
    before = len(occurrences(crew, schedule_id))
    time.sleep(2.2)

    assert len(occurrences(crew, schedule_id)) <= before + 1
    crew.gate().touch()
    crew.queue.ending(job)
    assert supervisor.wait() == 0
