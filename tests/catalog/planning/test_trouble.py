"""Two planners at once, a plan that somebody holds or edits meanwhile, ways that are not found, mail that waits."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from task_catalog.facility.models import Job, Jobneed
from task_catalog.high_priority.scheduling import create_job, create_ppm_job
from task_catalog.models import PlanFingerprint
from task_catalog.planning import run as planning_run
from task_catalog.planning import writing
from task_catalog.sweeps import RowsFailed
from tests.catalog.planning.world import MORNING, NONE, run
from youtility_tasks import Transient, effects, errors, tenant
from youtility_tasks.models import TaskEffect, TaskExecutionHistory
from youtility_tasks.testing import run_jobs

SPOTS = ["19.0000,72.8000", "19.0100,72.8000", "19.0200,72.8000"]

real_transactions = pytest.mark.django_db(transaction=True)


def in_thread(work):
    """A thread that works on a connection of its own, and the list that will hold what it returned or raised."""
    came = []

    def body():
        try:
            came.append(work())
        except Exception as error:
            came.append(error)
        finally:
            connection.close()

    return threading.Thread(target=body), came


@pytest.fixture(params=["own tables", "tables without the unique index"])
def tables(request, transactional_db):
    """The facility's tables, and tables like those of an application that has no index against doubles."""
    constraint = next(each for each in Jobneed._meta.constraints if each.name == "jobneed_planned_once")
    if request.param == "own tables":
        yield
        return
    with connection.schema_editor() as editor:
        editor.remove_constraint(Jobneed, constraint)
    yield
    Jobneed.objects.exclude(pk=NONE).update(job_id=None)  # whatever it holds, the index can come back
    with connection.schema_editor() as editor:
        editor.add_constraint(Jobneed, constraint)


@real_transactions
def test_two_planners_at_once_make_each_occurrence_once(tables, acme, site):
    plans = [acme.tour(site, 3, 3) for _ in range(6)]
    start = threading.Barrier(2)

    def plan_them():
        start.wait(10)
        with tenant(acme.id):
            return run(create_job)

    threads = [in_thread(plan_them) for _ in range(2)]
    for thread, _ in threads:
        thread.start()
    for thread, _ in threads:
        thread.join(60)

    results = [came[0] for _, came in threads]
    assert sum(result["jobneeds_created"] for result in results) == 16 * len(plans)
    assert sum(result["jobneeds_existing"] for result in results) == 16 * len(plans)
    assert [result["warnings"] for result in results] == [[], []]
    for plan in plans:
        times = [root.plandatetime for root in acme.roots(plan)]
        assert len(times) == len(set(times)) == 16
        assert Jobneed.objects.filter(job=plan).exclude(parent_id=NONE).count() == 32


@real_transactions
def test_a_plan_that_somebody_holds_is_left_to_the_next_attempt_and_the_others_are_planned(acme, site, monkeypatch):
    monkeypatch.setattr(writing, "LONGEST_WAIT_S", 0.1)
    held, free = acme.plan(site), acme.plan(site)

    with transaction.atomic():
        Job.objects.select_for_update().get(pk=held.pk)
        thread, came = in_thread(lambda: run(create_job))
        thread.start()
        thread.join(60)

    (error,) = came
    assert isinstance(error, Transient)
    assert str(held.pk) in str(error)
    assert (len(acme.roots(held)), len(acme.roots(free))) == (0, 2)
    assert run(create_job, attempt=2)["jobneeds_created"] == 2


def test_a_batch_ends_where_it_has_rows_enough(acme, site, monkeypatch):
    plans = [acme.plan(site) for _ in range(6)]  # two occurrences of a row and two questions each
    wrote = []
    real = planning_run.write

    def noted(intents, *args, **kwargs):
        wrote.append(len(intents))
        return real(intents, *args, **kwargs)

    monkeypatch.setattr(planning_run, "write", noted)
    monkeypatch.setattr(planning_run, "ROWS_AT_ONCE", 20)
    run(create_job)

    assert len(wrote) > 1
    assert sum(wrote) == len(plans)
    assert {len(acme.roots(plan)) for plan in plans} == {2}


def test_plans_that_fail_together_are_written_one_by_one(acme, site, monkeypatch):
    plans = [acme.plan(site) for _ in range(4)]
    real = writing._remember

    def fails_together(intents, *args):
        real(intents, *args)
        if len(intents) > 1:
            raise ZeroDivisionError("the light went out")

    monkeypatch.setattr(writing, "_remember", fails_together)
    result = run(create_job)

    assert (result["jobneeds_created"], result["skipped"]) == (8, [])
    assert [each["job_id"] for each in result["per_job"]] == [plan.pk for plan in plans]
    assert Jobneed.objects.filter(job__in=plans).count() == 8


@real_transactions
def test_a_plan_edited_while_it_is_planned_is_planned_by_the_next_attempt(acme, site, roads):
    tour = acme.tour(site, 3, 3, points=SPOTS[:2], other_info={"tour_frequency": 2})
    roads.meanwhile = staticmethod(lambda: Job.objects.filter(pk=tour.pk).update(cron="0 9 * * *"))

    with pytest.raises(Transient, match="edited"):
        run(create_job)
    assert acme.roots(tour) == []

    run(create_job, attempt=2)
    assert [root.plandatetime.hour for root in acme.roots(tour)] == [3, 3]


def no_way():
    raise ConnectionError("no answer from the map")


@real_transactions
def test_a_way_that_is_not_found_rolls_back_its_plan_alone_and_is_tried_again(acme, site, roads):
    tour = acme.tour(site, 3, 3, points=SPOTS[:2], other_info={"tour_frequency": 2})
    good = acme.plan(site)
    roads.meanwhile = staticmethod(no_way)

    with pytest.raises(Transient, match="no answer from the map"):
        run(create_job)

    assert (acme.roots(tour), len(acme.roots(good))) == ([], 2)
    with tenant(acme.id):
        (notice,) = effects.pending("notice:")
    assert "route_failed" in notice.payload["subject"]
    roads.reset()
    assert run(create_job, attempt=2)["jobneeds_created"] == 16


def test_a_stop_without_a_place_is_a_matter_for_people_and_no_retry(acme, site):
    tour = acme.tour(site, 3, 3, points=[SPOTS[0], None], other_info={"tour_frequency": 2})

    result = run(create_job)

    assert result["skipped"] == [{"job_id": tour.pk, "reason": "no_location"}]


def test_a_stop_without_a_place_of_its_own_is_at_its_site(acme, site):
    type(site).objects.filter(pk=site.pk).update(gpslocation=SPOTS[2])
    tour = acme.tour(site, 3, 3, points=[SPOTS[0], None], other_info={"tour_frequency": 2})

    assert run(create_job)["jobneeds_created"] == len(acme.roots(tour)) == 16


def test_a_tour_that_goes_round_a_thousand_times_is_a_mistake(acme, site):
    tour = acme.tour(site, 3, 3, points=SPOTS[:2], other_info={"tour_frequency": 501})

    assert run(create_job)["skipped"] == [{"job_id": tour.pk, "reason": "too_many_stops"}]


def test_the_end_of_the_time_limit_is_not_swallowed(acme, site, monkeypatch):
    def too_late(*args, **kwargs):
        raise errors.SoftTimeLimit("600 s are over")

    monkeypatch.setattr(writing.RowMaker, "roots", too_late)
    acme.plan(site)

    with pytest.raises(errors.SoftTimeLimit):
        run(create_job)
    assert not TaskEffect.objects.filter(key__startswith="notice:").exists()


@real_transactions
def test_an_error_in_one_clients_plan_does_not_keep_the_next_client_waiting(acme, globex, site, monkeypatch):
    bad, good = acme.plan(site), globex.plan(globex.site("1"))
    real = writing.RowMaker.questions

    def fails_at_acme(maker, *args):
        if maker._plan.pk == bad.pk:
            raise ZeroDivisionError
        return real(maker, *args)

    monkeypatch.setattr(writing.RowMaker, "questions", fails_at_acme)

    with pytest.raises(RowsFailed):
        run(create_job)

    assert (len(acme.roots(bad)), len(globex.roots(good))) == (0, 2)
    assert not TaskEffect.objects.filter(key__startswith="jobneed:", tenant_id=acme.id).exists()
    assert not PlanFingerprint.objects.filter(job_id=bad.pk).exists()
    keys = TaskEffect.objects.filter(key__startswith="notice:").values_list("tenant_id", "key")
    assert list(keys) == [(acme.id, f"notice:plan:{bad.pk}:2025-03-03")]


@real_transactions
def test_the_administrators_get_one_mail_a_plan_and_day(acme, globex, site, clock_at, mailbox):
    flawed = [acme.plan(site, cron="61 * * * *"), globex.plan(globex.site("1"), cron="61 * * * *")]

    for hours in (0, 8, 16):
        clock_at(MORNING + timedelta(hours=hours))
        run(create_job)
        run(create_ppm_job)

    told = [mail.message for mail in mailbox.received]
    assert {message["X-Youtility-Task"] for message in told} == {"admin_notice"}
    # 16:27 is still the same day at both clients; at Globex 00:27 was the evening before.
    assert sorted((mail["X-Youtility-Tenant"], mail["X-Youtility-Effect"]) for mail in told) == [
        (str(acme.id), f"notice:plan:{flawed[0].pk}:2025-03-03"),
        (str(globex.id), f"notice:plan:{flawed[1].pk}:2025-03-02"),
        (str(globex.id), f"notice:plan:{flawed[1].pk}:2025-03-03"),
    ]


@real_transactions
def test_both_planners_run_as_jobs_and_their_results_are_kept(acme, site):
    acme.plan(site)
    acme.ppm(site)
    create_job.enqueue()
    create_ppm_job.enqueue()

    assert run_jobs() == 2

    results = dict(TaskExecutionHistory.objects.values_list("task_name", "result"))
    assert (results["create_job"]["jobneeds_created"], results["create_ppm_job"]["jobneeds_created"]) == (2, 3)
