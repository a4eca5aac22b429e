"""The days of the history: made ahead, filled from DEFAULT, dropped behind; and what goes with its retention."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import Error, connection

from tests.integration.desk import execute, rows
from tests.integration.mutants import definition, must_catch, undone
from tests.integration.sessions import at_once
from youtility_tasks import metrics, queries
from youtility_tasks.models import Job, TaskExecutionHistory, TaskWorker, UpkeepDuty
from youtility_tasks.upkeep import duties, history_days, prune

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def keep_a_year(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"history_retention_days": 365, "history_days_ahead": 3}


@pytest.fixture
def real_days(committed: None) -> Any:
    """Days that were really made go when the test ends."""
    yield
    for part, _ in rows("SELECT part::text, day FROM youtility_tasks_history_days_v1()"):
        execute(f"DROP TABLE {part}")
    execute("TRUNCATE youtility_tasks_upkeepduty")


def ended(
    at: datetime,
    *,
    job_id: int = 1,
    outcome: str = "succeeded",
    task_name: str = "sweep",
    tenant_id: int = 7,
    n: int = 1,
) -> None:
    """Attempts that ended at that instant."""
    execute(
        "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number,"
        " enqueued_at, finished_at, status, outcome, is_final)"
        " SELECT %s, %s, 'maintenance', %s, 5, 1, 1, %s, %s, 'failed', %s, true FROM generate_series(1, %s)",
        job_id, task_name, tenant_id, at, at, outcome, n,
    )  # fmt: skip


def dead_letter(job_id: int) -> None:
    execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, status) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, 'maintenance', 'sweep', '{}', 'failed')",
        job_id,
    )


def make(*days: str) -> None:
    for day in days:
        execute("SELECT youtility_tasks_add_history_day_v1(%s::date)", day)


def days() -> list[str]:
    return [str(day) for (day,) in rows("SELECT day FROM youtility_tasks_history_days_v1()")]


def homes() -> dict[str, int]:
    """Rows by partition."""
    return dict(rows("SELECT replace(tableoid::regclass::text, 'youtility_tasks_history_', ''), count(*)::integer"
                     " FROM youtility_tasks_history GROUP BY 1"))  # fmt: skip


@pytest.mark.django_db
def test_today_and_the_days_ahead_are_made_once() -> None:
    assert history_days.make_days(NOW) == 4
    assert days() == ["2026-05-20", "2026-05-21", "2026-05-22", "2026-05-23"]
    assert history_days.make_days(NOW) == 0
    assert history_days.make_days(NOW + timedelta(days=1)) == 1


@pytest.mark.django_db
def test_a_day_is_a_day_in_utc_whatever_the_session_thinks() -> None:
    execute("SET LOCAL timezone = 'Asia/Kolkata'")
    make("2026-05-20")
    ended(datetime(2026, 5, 20, 0, 0, tzinfo=UTC))
    ended(datetime(2026, 5, 20, 23, 59, 59, 999999, tzinfo=UTC))
    ended(datetime(2026, 5, 19, 23, 59, 59, 999999, tzinfo=UTC))
    ended(datetime(2026, 5, 21, 0, 0, tzinfo=UTC))

    assert homes() == {"20260520": 2, "default": 2}


def check_that_default_is_emptied_into_the_day() -> None:
    ended(datetime(2026, 5, 18, 23, tzinfo=UTC))
    ended(datetime(2026, 5, 19, 1, tzinfo=UTC), n=3)
    before = set(TaskExecutionHistory.objects.values_list("id", "finished_at"))

    history_days.make_days(NOW)

    assert homes() == {"20260518": 1, "20260519": 3}
    assert set(TaskExecutionHistory.objects.values_list("id", "finished_at")) == before


@pytest.mark.django_db
def test_what_landed_in_default_moves_to_its_day() -> None:
    must_catch(
        check_that_default_is_emptied_into_the_day,
        "youtility_tasks_add_history_day_v1",
        "RETURNING h.*) INSERT INTO %s SELECT * FROM gone",
        "RETURNING h.*) INSERT INTO %s SELECT * FROM gone WHERE false",
    )


def check_that_a_full_day_stays_in_default() -> None:
    ended(NOW, n=5)
    assert rows("SELECT youtility_tasks_add_history_day_v1('2026-05-20', 4)") == [(None,)]
    assert homes() == {"default": 5}


@pytest.mark.django_db
def test_a_day_too_large_to_move_under_a_lock_stays_in_default() -> None:
    must_catch(
        check_that_a_full_day_stays_in_default, "youtility_tasks_add_history_day_v1", "LIMIT p_most + 1) x) > p_most", "LIMIT 0) x) > p_most"
    )  # fmt: skip


@pytest.mark.django_db
def test_new_attempts_go_on_being_numbered_by_one_sequence() -> None:
    make("2026-05-20")
    ended(NOW, n=2)
    ended(NOW + timedelta(days=9), n=2)

    ids = TaskExecutionHistory.objects.values_list("id", flat=True)
    assert len(set(ids)) == 4
    (plan,) = rows("SELECT count(*)::integer FROM pg_indexes WHERE tablename = 'youtility_tasks_history_20260520'")
    # Three of them of few rows alone, and one of ranges of blocks: each that has all rows costs every ending.
    assert plan == (9,)


def test_a_day_whose_lock_is_not_to_be_had_gives_up_within_a_second(real_days: None, cluster: Any) -> None:
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT count(*) FROM youtility_tasks_history_default")
        began = time.monotonic()

        with pytest.raises(Error, match="lock timeout"):
            history_days.make_days(NOW)

        assert time.monotonic() - began < 4
    assert history_days.make_days(NOW) == 4


def test_many_workers_make_each_day_once(real_days: None) -> None:
    made = at_once(6, lambda _: history_days.make_days(NOW))

    assert history_days.make_days(NOW) + sum(made) == 4
    assert len(days()) == 4


# -- dropping


def check_that_a_past_day_is_dropped_whole() -> None:
    make("2025-05-19", "2025-05-20")
    ended(datetime(2025, 5, 19, 23, tzinfo=UTC), n=2)
    ended(datetime(2025, 5, 20, 0, tzinfo=UTC))

    would, did = prune.would_remove(NOW), prune.remove_old(NOW)

    assert {str(day): counts for day, counts in did.days.items()} == {"2025-05-19": {"succeeded": 2}}
    assert (did.attempts, did.count) == ({}, 3)
    assert would == did
    assert days() == ["2025-05-20"]


@pytest.mark.django_db
def test_a_day_past_its_retention_is_dropped_whole_and_nothing_singly() -> None:
    must_catch(
        check_that_a_past_day_is_dropped_whole, "cleanup_old_tasks", "doomed := doomed || each.day;\n                CONTINUE", "NULL"
    )  # fmt: skip


def check_that_a_dead_letter_keeps_its_attempts() -> None:
    make("2025-01-01")
    ended(datetime(2025, 1, 1, 5, tzinfo=UTC), job_id=10, outcome="failed", n=3)
    ended(datetime(2025, 1, 1, 6, tzinfo=UTC), job_id=11)
    ended(datetime(2025, 1, 2, 6, tzinfo=UTC), job_id=10, outcome="failed")
    dead_letter(10)

    would, did = prune.would_remove(NOW), prune.remove_old(NOW)

    assert would == did
    assert {str(day): counts for day, counts in did.days.items()} == {"2025-01-01": {"succeeded": 1}}
    assert homes() == {"default": 4}
    assert history_days.missing_days(NOW)[-1] == NOW.date()  # and their day is not made again
    Job.objects.all().delete()
    assert prune.remove_old(NOW).attempts == {"failed": 4}


@pytest.mark.django_db
def test_a_dead_letter_keeps_its_attempts_when_their_day_is_dropped() -> None:
    must_catch(
        check_that_a_dead_letter_keeps_its_attempts, "youtility_tasks_drop_history_day_v1", "IF kept IS NOT NULL", "IF false"
    )  # fmt: skip
    must_catch(
        check_that_a_dead_letter_keeps_its_attempts, "cleanup_old_tasks",
        "NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = h.job_id)", "true",
    )  # fmt: skip


def test_a_drop_that_cannot_have_its_lock_is_postponed_and_the_rest_goes_on(real_days: None) -> None:
    make("2025-01-01")
    ended(datetime(2025, 1, 1, 5, tzinfo=UTC))
    ended(datetime(2024, 1, 1, 5, tzinfo=UTC))
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT count(*) FROM youtility_tasks_history")

        removed = prune.remove_old(NOW)

        assert [str(day) for day in removed.postponed] == ["2025-01-01"]
        assert removed.attempts == {"succeeded": 1}
        assert homes() == {"20250101": 1}
    assert prune.remove_old(NOW).attempt_count == 1
    assert days() == []


# -- by outcome and task


def check_that_each_outcome_and_task_goes_in_its_time() -> None:
    make("2026-05-01", "2026-05-15", "2026-05-18", "2026-05-19", "2025-12-01")
    for day in (1, 15, 18, 19):
        for task_name in ("sweep", "heartbeat", "payroll"):
            for outcome in ("succeeded", "failed"):
                ended(datetime(2026, 5, day, 5, tzinfo=UTC), task_name=task_name, outcome=outcome)
    ended(datetime(2025, 12, 1, tzinfo=UTC), task_name="sweep")

    would, did = prune.would_remove(NOW), prune.remove_old(NOW)

    assert would == did
    assert [str(day) for day in did.days] == ["2025-12-01"]  # of which nothing is to be kept
    left = {(each.finished_at.day, each.task_name, each.outcome) for each in TaskExecutionHistory.objects.all()}
    both = ("succeeded", "failed")
    assert left == {
        *((1, "payroll", outcome) for outcome in both), (1, "sweep", "failed"),
        *((15, task, outcome) for task in ("payroll", "sweep") for outcome in both),
        *((18, task, outcome) for task in ("payroll", "sweep") for outcome in both),
        *((19, task, outcome) for task in ("payroll", "sweep", "heartbeat") for outcome in both),
    }  # fmt: skip
    assert prune.remove_old(NOW).count == prune.would_remove(NOW).count == 0


@pytest.mark.django_db
def test_outcomes_and_tasks_have_retentions_of_their_own_and_the_task_goes_first(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {
        "history_retention_days": 100,
        "retention_days_by_outcome": {"succeeded": 10},
        "retention_days_by_task": {"heartbeat": 1, "payroll": 300},
    }
    check = check_that_each_outcome_and_task_goes_in_its_time

    must_catch(check, "cleanup_old_tasks", "IF NOT found_some THEN", "IF true THEN")
    must_catch(check, "cleanup_old_tasks", "IF each.day + longest < today THEN", "IF true THEN")
    must_catch(check, "youtility_tasks_keep_days_v1", "(p_retention #>> ARRAY['by_task', p_task])::integer, ", "")
    must_catch(check, "youtility_tasks_keep_days_v1", "(p_retention #>> ARRAY['by_outcome', p_outcome])::integer,", "")


@pytest.mark.django_db
def test_a_shorter_retention_is_seen_by_days_that_were_looked_through(settings: Any) -> None:
    make("2026-05-01")
    ended(datetime(2026, 5, 1, tzinfo=UTC))
    ended(datetime(2026, 5, 1, tzinfo=UTC), outcome="failed")
    for outcome, gone in (("aborted", 0), ("succeeded", 1), ("failed", 1)):
        settings.YOUTILITY_TASKS = {"retention_days_by_outcome": {outcome: 3}}
        assert prune.remove_old(NOW).attempt_count == gone


@pytest.mark.django_db
def test_single_attempts_go_in_batches_that_another_run_can_resume(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"retention_days_by_outcome": {"succeeded": 3}}
    make("2026-05-01", "2026-05-02")
    for day in (1, 2):
        ended(datetime(2026, 5, day, tzinfo=UTC), n=5)
        ended(datetime(2026, 5, day, tzinfo=UTC), outcome="failed")

    first = prune.remove_old(NOW, batch=3, most_calls=2)
    second = prune.remove_old(NOW, batch=3)

    assert (first.attempts, first.is_all) == ({"succeeded": 6}, False)
    assert (second.attempts, second.is_all) == ({"succeeded": 4}, True)
    assert homes() == {"20260501": 1, "20260502": 1}


def check_that_days_are_asked_for_once_the_batches_are_done() -> None:
    make("2025-01-01")
    ended(datetime(2025, 1, 1, tzinfo=UTC))
    ended(datetime(2024, 1, 1, tzinfo=UTC), n=3)

    first = prune.remove_old(NOW, batch=2, most_calls=1)

    assert (first.days, first.attempts) == ({}, {"succeeded": 2})
    assert prune.remove_old(NOW, batch=2).attempt_count == 2


@pytest.mark.django_db
def test_a_days_lock_is_asked_for_once_and_not_with_every_batch() -> None:
    check = check_that_days_are_asked_for_once_the_batches_are_done
    must_catch(check, "cleanup_old_tasks", " AND remaining > 0\n", "\n")


# -- what others leave


def check_that_only_what_is_over_goes_from_the_queue() -> None:
    for job_id, status in enumerate(("todo", "doing", "succeeded", "failed", "cancelled", "aborted", "succeeded"), 1):
        execute(
            "INSERT INTO procrastinate_jobs (id, queue_name, task_name, args, status, enqueued_at) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, 'maintenance', 'sweep', '{}', %s, '2024-01-01')",
            job_id, status,
        )  # fmt: skip
    # Enqueued long ago, ended yesterday.
    execute("INSERT INTO procrastinate_events (job_id, type, at) VALUES (7, 'succeeded', '2026-05-19')")

    would, did = prune.would_remove(NOW), prune.remove_old(NOW)

    assert would == did
    assert did.jobs == {"aborted": 1, "cancelled": 1, "succeeded": 1}
    assert sorted(Job.objects.values_list("id", flat=True)) == [1, 2, 4, 7]


@pytest.mark.django_db
def test_what_stock_workers_finished_goes_and_dead_letters_stay() -> None:
    must_catch(
        check_that_only_what_is_over_goes_from_the_queue, "cleanup_old_tasks",
        "j.status IN ('succeeded', 'cancelled', 'aborted')", "j.status NOT IN ('todo', 'doing')",
    )  # fmt: skip
    must_catch(
        check_that_only_what_is_over_goes_from_the_queue, "cleanup_old_tasks",
        "coalesce((SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = j.id), j.enqueued_at)", "j.enqueued_at",
    )  # fmt: skip


@pytest.mark.django_db
def test_workers_that_are_gone_are_forgotten_and_others_not() -> None:
    for pk, stopped in ((1, NOW - timedelta(days=400)), (2, NOW - timedelta(days=300)), (3, None)):
        TaskWorker.objects.create(pk=pk, host="h", pid=1, queue_name="email", status="stopped", stopped_at=stopped)

    assert prune.remove_old(NOW).workers == {"stopped": 1}
    assert sorted(TaskWorker.objects.values_list("pk", flat=True)) == [2, 3]


@pytest.mark.django_db
def test_the_queues_numbers_are_a_function_of_the_database() -> None:
    dead_letter(1)

    ((name, *numbers),) = rows("SELECT * FROM get_queue_statistics()")

    assert (name, numbers) == ("maintenance", [0, 0, 0, 1, 0.0])
    (known,) = [each for each in metrics.queue_numbers() if each.queue_name == name]
    assert (known.todo, known.doing, known.scheduled, known.failed, known.oldest_s) == (0, 0, 0, 1, 0)


# -- the duties


def test_of_many_workers_one_does_a_duty_and_the_others_leave_it(real_days: None) -> None:
    done = at_once(5, lambda _: duties.run_due())

    assert sum(len(each) for each in done) == len(duties.DUTIES)
    assert duties.run_due() == {}
    assert {duty.name for duty in UpkeepDuty.objects.all()} == {duty.name for duty in duties.DUTIES}


def check_that_a_duty_is_done_once() -> None:
    assert set(duties.run_due()) == {duty.name for duty in duties.DUTIES}
    assert duties.run_due() == {}


@pytest.mark.django_db
def test_a_duty_is_due_again_only_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with undone():
        check_that_a_duty_is_done_once()
    look = "\n WHERE d.begun_at IS NULL OR d.begun_at <= clock_timestamp() - w.every_s * interval '1 second'"
    guard = "\n WHERE d.begun_at <= clock_timestamp() - %(every_s)s * interval '1 second'"
    alter(monkeypatch, "due_duties", look, "")  # as for a worker whose look was before another one began
    with undone():
        check_that_a_duty_is_done_once()
    alter(monkeypatch, "begin_duty", guard, "\n WHERE %(every_s)s > 0")
    with undone(), pytest.raises(AssertionError):
        check_that_a_duty_is_done_once()


def alter(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str) -> None:
    read = queries.statement
    assert old in read(name)
    monkeypatch.setattr(
        queries, "statement", lambda asked: read(asked).replace(old, new) if asked == name else read(asked)
    )


def test_a_duty_that_fails_is_remembered_and_the_others_are_done(
    real_days: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(now: datetime, leave: Any) -> tuple[int, bool]:
        raise RuntimeError("no room")

    monkeypatch.setattr(duties, "DUTIES", (duties.Duty("break", 60, fail), *duties.DUTIES))

    assert "make history days" in duties.run_due()
    assert UpkeepDuty.objects.get(pk="break").error == "RuntimeError: no room"
    assert "upkeep failed duty=break" in caplog.text


@pytest.mark.django_db
def test_a_duty_that_reached_its_limit_is_due_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "DUTIES", (duties.Duty("long", 60, lambda now, leave: (5, False)),))

    assert duties.run_due() == duties.run_due() == {"long": 5}


def test_apart_it_runs_on_a_connection_of_its_own(real_days: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def look(now: datetime, leave: Any) -> tuple[int, bool]:
        seen.extend(queries._cursor().execute("SHOW application_name").fetchone())
        return 1, True

    monkeypatch.setattr(duties, "DUTIES", (duties.Duty("look", 60, look),))

    asyncio.run(duties.run_due_apart())

    assert seen == ["youtility upkeep"]
    assert UpkeepDuty.objects.get(pk="look").done_count == 1


def test_a_run_that_hangs_is_cut_off_at_its_deadline(
    real_days: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def hang(now: datetime, leave: Any) -> tuple[int, bool]:
        queries._cursor().execute("SELECT pg_sleep(60)")
        return 0, True

    monkeypatch.setattr(duties, "DUTIES", (duties.Duty("hang", 60, hang),))
    monkeypatch.setattr(duties, "DEADLINE_S", 0.5)
    began = time.monotonic()

    asyncio.run(duties.run_due_apart())

    assert time.monotonic() - began < 20
    assert "upkeep stopped" in caplog.text


def test_whoever_is_stopped_does_not_wait_for_upkeep(real_days: None, monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()
    monkeypatch.setattr(duties, "run_due", lambda leave: [time.sleep(0.01) for _ in iter(leave, True)] and left.set())

    async def stop_early() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await duties.run_due_apart()

    asyncio.run(stop_early())

    assert left.wait(10)


# -- the guards between sessions, each taken away once


@contextmanager
def without(function: str, guard: str, instead: str) -> Iterator[None]:
    """A committed mutant of a function, for what other sessions must see."""
    original = definition(function)
    assert guard in original, f"{function} has no {guard!r}"
    execute(original.replace(guard, instead).replace("%", "%%"))
    try:
        yield
    finally:
        execute(original.replace("%", "%%"))


@contextmanager
def somebody_else(statement: str) -> Iterator[None]:
    """Another session that has done this in a transaction it keeps open."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute(statement)
        yield
        other.rollback()


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    execute("SELECT set_config('statement_timeout', %s, false)", f"{seconds}s")
    try:
        yield
    finally:
        execute("RESET statement_timeout")


@pytest.mark.parametrize("call", ["add_history_day_v1", "drop_history_day_v1"])
def test_while_somebody_is_at_the_days_others_leave_them_alone(real_days: None, call: str) -> None:
    day = "2026-05-20"
    if call.startswith("drop"):
        make(day)
    before = days()
    with somebody_else("SELECT pg_advisory_xact_lock(hashtextextended('youtility_tasks.history_days', 0))"):
        rows(f"SELECT youtility_tasks_{call}('{day}')")
        assert days() == before
        guard = "NOT pg_try_advisory_xact_lock(hashtextextended('youtility_tasks.history_days', 0))"
        with without(f"youtility_tasks_{call}", guard, "false"):
            rows(f"SELECT youtility_tasks_{call}('{day}')")
            assert days() != before


@pytest.mark.parametrize("call", ["add_history_day_v1", "drop_history_day_v1"])
def test_a_lock_is_waited_for_a_second_and_no_longer(real_days: None, call: str) -> None:
    day = "2026-05-20"
    if call.startswith("drop"):
        make(day)
    with somebody_else("SELECT count(*) FROM youtility_tasks_history"), at_most(3):
        with pytest.raises(Error, match="lock timeout"):
            rows(f"SELECT youtility_tasks_{call}('{day}')")
        patient = without(f"youtility_tasks_{call}", "SET lock_timeout TO '1s'", "SET lock_timeout TO '0'")
        with patient, pytest.raises(Error, match="statement timeout"):
            rows(f"SELECT youtility_tasks_{call}('{day}')")


def test_rows_that_somebody_else_is_removing_are_left_to_him(real_days: None, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"retention_days_by_outcome": {"succeeded": 3}}
    ended(datetime(2026, 5, 1, tzinfo=UTC), n=3)
    first = "(SELECT min(id) FROM youtility_tasks_history)"
    with somebody_else(f"SELECT FROM youtility_tasks_history WHERE id = {first} FOR UPDATE"), at_most(3):
        patient = without("cleanup_old_tasks", "FOR UPDATE SKIP LOCKED)) RETURNING", "FOR UPDATE)) RETURNING")
        with patient, pytest.raises(Error, match="statement timeout"):
            prune.remove_old(NOW)
        assert prune.remove_old(NOW).attempts == {"succeeded": 2}
    assert prune.remove_old(NOW).attempts == {"succeeded": 1}
