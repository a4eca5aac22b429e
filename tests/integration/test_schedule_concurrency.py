"""Schedules in real transactions: many that look at once, locks in the way, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connections, transaction

from tests.integration.desk import execute
from tests.integration.schedules import fire, jobs, long_ago, make, told
from tests.integration.sessions import Aside, at_once
from youtility_tasks import Task, queries, schedules
from youtility_tasks.models import ScheduledTask
from youtility_tasks.models.schedules import Reason
from youtility_tasks.schedules import firing

pytestmark = pytest.mark.usefixtures("committed")


def race(row: ScheduledTask) -> int:
    def look(_: int) -> Any:
        try:
            return fire(row)
        except Exception as error:  # what the mutants run into
            return error

    found = at_once(5, look)
    return sum(len(each.fired) for each in found if isinstance(each, firing.Settled))


def without(monkeypatch: pytest.MonkeyPatch, **guards: str) -> None:
    """Statements without a part of theirs."""
    whole = queries.statement

    def statement(name: str) -> str:
        text = whole(name)
        if name in guards:
            assert guards[name] in text
            return text.replace(guards[name], "")
        return text

    monkeypatch.setattr(queries, "statement", statement)


@pytest.mark.parametrize("guard", ["none gone", "row lock gone", "key gone", "both gone"])
def test_five_that_look_at_once_make_one_job_by_the_rows_lock_and_by_the_ticks_key(
    sweep_task: Task, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    gone: dict[str, str] = {}
    if guard in ("row lock gone", "both gone"):
        gone["take_schedule"] = "FOR UPDATE SKIP LOCKED"
    if guard in ("key gone", "both gone"):
        gone["enter_tick"] = "ON CONFLICT (tenant_id, schedule_id, tick_at) DO NOTHING"
        execute("ALTER TABLE youtility_tasks_scheduledtaskexecution DROP CONSTRAINT yt_occurrence_once")
    without(monkeypatch, **gone)
    try:
        made = 0
        for n in range(5):
            row = long_ago(make(sweep_task, f"race {n}"), minutes=5)
            made = max(made, race(row))
        assert (made > 1) is (guard == "both gone")
    finally:
        execute("TRUNCATE youtility_tasks_scheduledtaskexecution")
        if "enter_tick" in gone:
            execute(
                "ALTER TABLE youtility_tasks_scheduledtaskexecution"
                " ADD CONSTRAINT yt_occurrence_once UNIQUE (tenant_id, schedule_id, tick_at)"
            )


def test_a_clock_that_steps_back_fires_no_tick_a_second_time(sweep_task: Task) -> None:
    row = long_ago(make(sweep_task), minutes=5)
    assert race(row) == 1

    assert race(long_ago(row, minutes=5)) == 0
    assert (len(jobs(sweep_task)), told(row)) == (1, [("fired", "")])


def test_whoever_holds_one_schedule_holds_up_no_other(sweep_task: Task) -> None:
    held, free = (long_ago(make(sweep_task, name), minutes=5) for name in ("held", "free"))
    aside = Aside()
    with transaction.atomic():
        ScheduledTask.objects.select_for_update().get(pk=held.pk)
        assert aside.do(lambda: fire(held)) is None
        assert aside.do(lambda: fire(free)).fired
    assert aside.do(lambda: fire(held)).fired
    aside.do(connections.close_all)


def test_a_job_that_waits_for_somebodys_key_leaves_the_tick_due_and_nothing_behind(single_task: Task) -> None:
    row = long_ago(make(single_task, args={"key": "k"}), minutes=5)
    aside = Aside()
    with transaction.atomic():
        single_task.enqueue(key="k")
        with pytest.raises(Exception, match="lock timeout"):
            aside.do(lambda: fire(row))
        assert told(row) == []
    assert aside.do(lambda: fire(row)).skipped == {Reason.TWIN: 1}
    assert len(jobs(single_task)) == 1
    aside.do(connections.close_all)


def test_workers_are_told_of_what_comes_sooner_and_not_of_every_tick(sweep_task: Task) -> None:
    dsn = queries.conninfo("ears", part=None)
    with psycopg.connect(dsn, autocommit=True) as ears:
        ears.execute("LISTEN youtility_tasks_schedules")

        def heard(act: Callable[[], Any]) -> int:
            act()
            return len(list(ears.notifies(timeout=0.3)))

        assert heard(lambda: make(sweep_task, cron="0 0 1 1 *")) == 1
        assert heard(lambda: schedules.change("it", cron="*/5 * * * *")) == 1
        row = schedules.get("it")
        long_ago(row, minutes=5)
        list(ears.notifies(timeout=0.3))
        assert heard(lambda: fire(row)) == 0
        assert heard(lambda: schedules.pause("it")) == 0, "it is read at the tick"
        assert heard(lambda: schedules.remove("it")) == 0
