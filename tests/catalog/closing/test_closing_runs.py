"""One run of auto_close_jobs beside others: row locks, a poisoned row, the time limit, pages."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import JSONField, Value
from django.test.utils import CaptureQueriesContext

from task_catalog import missed_work
from task_catalog.facility.models import Jobneed, Ticket
from task_catalog.high_priority import closing
from task_catalog.high_priority.closing import auto_close_jobs
from task_catalog.offsets import Offsets
from task_catalog.rules.closing import Notice, closed_flags
from task_catalog.sweeps import RowsFailed
from tests.catalog.closing.world import NOON, run, statuses, tour_of
from youtility_tasks import TaskContext, errors, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import assert_enqueued, enqueued, run_jobs


def test_d14_one_poisoned_row_does_not_stop_the_others_and_the_task_says_so(acme, site, mailbox):
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE jobneed ADD CONSTRAINT poisoned CHECK (jobdesc <> 'poison' OR jobstatus <> 'AUTOCLOSED')"
        )
    try:
        before = acme.work(site, notify="AUTOCLOSENOTIFY", expirydatetime=NOON - timedelta(hours=3))
        poison = acme.work(site, notify="RAISETICKETNOTIFY", jobdesc="poison", expirydatetime=NOON - timedelta(hours=2))
        after = acme.work(site, notify="AUTOCLOSENOTIFY")

        with pytest.raises(RowsFailed, match=f"1 failed, everything else is done: {poison.pk}"):
            run(auto_close_jobs)

        assert statuses(before, poison, after) == ["AUTOCLOSED", "ASSIGNED", "AUTOCLOSED"]
        assert Ticket.objects.filter(client_id=acme.id).count() == 0
        assert not TaskEffect.objects.filter(key__endswith=f":{poison.pk}").exists()
        assert enqueued("send_ticket_email") == []
        assert len(mailbox.received) == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE jobneed DROP CONSTRAINT poisoned")


def test_a_row_that_somebody_holds_is_left_to_the_next_run(acme, site):
    held, free = acme.work(site), acme.work(site)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Jobneed.objects.select_for_update().get(pk=held.pk)
                locked.set()
                release.wait(20)
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(20)
        result = run(auto_close_jobs)
    finally:
        release.set()
        holder.join()

    assert result["ids"] == [free.pk]
    assert run(auto_close_jobs)["ids"] == [held.pk]


def test_the_due_test_is_repeated_under_the_lock(acme, site, monkeypatch):
    work = acme.work(site)
    mine = missed_work.occurrences_of

    def finished_meanwhile(client_id):
        found = mine(client_id)
        if connection.in_atomic_block:
            Jobneed.objects.filter(pk=work.pk).update(jobstatus="COMPLETED")
        return found

    monkeypatch.setattr(missed_work, "occurrences_of", finished_meanwhile)

    result = run(auto_close_jobs)

    assert (result["due"], result["autoclosed"]) == (1, 0)
    assert statuses(work) == ["COMPLETED"]


def test_a_run_that_is_out_of_time_leaves_the_rest_to_a_job_it_enqueues(acme, site):
    work = acme.work(site)

    result = run(auto_close_jobs, used_up=0.85)

    assert (result["status"], result["ids"]) == ("partial", [])
    assert_enqueued("auto_close_jobs")
    run_jobs("high_priority")
    assert statuses(work) == ["AUTOCLOSED"]


def test_a_run_that_somebody_ended_is_not_continued_by_another_job(acme, site):
    work = acme.work(site)
    context = TaskContext.for_tests(auto_close_jobs)
    context.abort.set()

    result = auto_close_jobs.func(context)

    assert (result["status"], statuses(work)) == ("partial", ["ASSIGNED"])
    assert enqueued("auto_close_jobs") == []


def test_the_end_of_the_time_limit_is_not_taken_for_a_failing_row(acme, site, monkeypatch):
    acme.work(site)

    def out_of_time(*args, **kwargs):
        raise errors.SoftTimeLimit("the time limit has passed")

    monkeypatch.setattr(missed_work, "create_tickets", out_of_time)
    acme.work(site, notify="RAISETICKETNOTIFY")

    with pytest.raises(errors.SoftTimeLimit):
        run(auto_close_jobs)


def test_a_page_costs_as_many_statements_as_two_rows(acme, site):
    acme.in_charge(site)
    guard = acme.person("guard", site)

    def statements(count):
        tours = [
            tour_of(acme, site, "INPROGRESS", ["COMPLETED", "ASSIGNED"], notify="RAISETICKETNOTIFY", people_id=guard.pk)
            for _ in range(count)
        ]
        with tenant(acme.id):
            closer = missed_work.Closer(acme.id, NOON, timedelta(days=1), Offsets())
            with CaptureQueriesContext(connection) as captured:
                closed = closer.close([tour.pk for tour, _ in tours])
        assert (len(closed.works), closed.child_count) == (count, count)
        assert {work.ticket is None for work in closed.works} == {False}
        return len(captured)

    assert statements(2) == statements(40)


def test_rows_that_fail_together_are_closed_one_by_one(acme, site, monkeypatch):
    works = [acme.work(site, notify="RAISETICKETNOTIFY") for _ in range(3)]
    real = missed_work.create_tickets

    def only_one_at_a_time(new, *, at):
        if len(new) > 1:
            raise ZeroDivisionError("the light went out")
        return real(new, at=at)

    monkeypatch.setattr(missed_work, "create_tickets", only_one_at_a_time)

    result = run(auto_close_jobs)

    assert (result["due"], result["autoclosed"], result["tickets_created"]) == (3, 3, 3)
    assert result["ids"] == [work.pk for work in works]
    assert statuses(*works) == ["AUTOCLOSED"] * 3


def test_a_child_that_somebody_holds_keeps_only_its_own_tour_waiting(acme, site):
    held, (stop,) = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"])
    free = acme.work(site)
    locked, release, came = threading.Event(), threading.Event(), []

    def hold() -> None:
        try:
            with transaction.atomic():
                Jobneed.objects.select_for_update().get(pk=stop.pk)
                locked.set()
                release.wait(20)
        finally:
            connection.close()

    def close() -> None:
        try:
            came.append(run(auto_close_jobs))
        finally:
            connection.close()

    holder, closer = threading.Thread(target=hold), threading.Thread(target=close)
    holder.start()
    assert locked.wait(20)
    closer.start()
    release.set()
    holder.join()
    closer.join()

    assert sorted(came[0]["ids"]) == sorted([held.pk, free.pk])
    assert statuses(held, stop, free) == ["AUTOCLOSED"] * 3


@pytest.mark.parametrize("stored", [None, [], "text", 7, {}, {"a": 1}])
def test_whatever_is_stored_beside_the_flags(acme, site, stored):
    work = acme.work(site)
    Jobneed.objects.filter(pk=work.pk).update(other_info=Value(stored, JSONField()))

    run(auto_close_jobs)

    info = Jobneed.objects.get(pk=work.pk).other_info
    assert info == {
        **(stored if isinstance(stored, dict) else {}),
        **closed_flags(Notice.NOTHING),
    }


def test_a_result_names_the_first_rows_and_counts_them_all(acme, site, monkeypatch):
    monkeypatch.setattr(closing, "MOST_IDS", 2)
    works = [acme.work(site) for _ in range(3)]

    result = run(auto_close_jobs)

    assert (result["autoclosed"], result["ids"]) == (3, [work.pk for work in works[:2]])


def test_the_oldest_expiry_goes_first_and_pages_leave_nothing_out(acme, site, monkeypatch):
    monkeypatch.setattr(closing, "PAGE", 2)
    monkeypatch.setattr(closing, "LOOKED_UP", 2)
    works = [acme.work(site, expirydatetime=NOON - timedelta(minutes=m)) for m in (1, 5, 5, 3, 9)]

    result = run(auto_close_jobs)

    by_age = sorted(works, key=lambda work: (work.expirydatetime, work.pk))
    assert result["ids"] == [work.pk for work in by_age]
