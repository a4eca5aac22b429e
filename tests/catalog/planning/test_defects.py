"""The defects of the original that planning must not repeat (catalog.md section 3), each by its number."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog.facility.models import Job, Jobneed, JobneedDetails, Reminder
from task_catalog.high_priority.scheduling import create_job, create_ppm_job
from task_catalog.planning import writing
from task_catalog.rules import routes
from task_catalog.sweeps import RowsFailed
from tests.catalog.planning.world import MORNING, at, details, run, stops_of

SPOTS = ["19.0000,72.8000", "19.0100,72.8000", "19.0200,72.8000", "19.0300,72.8000"]


def everything():
    """Ids and uuids of all that planning makes."""
    return {
        model.__name__: set(model.objects.values_list("pk", flat=True)) for model in (Jobneed, JobneedDetails, Reminder)
    }


def inserts(queries):
    """Table -> how many INSERT statements it got."""
    tables = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith("INSERT INTO")]
    return {table: tables.count(table) for table in tables}


def test_d3_the_last_tour_is_not_made_again_although_its_expiry_was_moved(acme, site):
    tour = acme.tour(site, 3, 3)
    run(create_job)
    before = everything()
    last = acme.roots(tour)[-1]
    assert last.expirydatetime == last.plandatetime + timedelta(minutes=26)

    for _ in range(3):
        run(create_job)

    assert everything() == before


def test_d3_answers_of_an_existing_occurrence_are_not_rebuilt(acme, site):
    plan = acme.plan(site)
    run(create_job)
    answered = details(acme.roots(plan)[0])[0]
    JobneedDetails.objects.filter(pk=answered.pk).update(answer="7")
    acme.ask(plan.qset, 9)

    run(create_job)

    assert [detail.answer for detail in details(acme.roots(plan)[0])] == ["7", None]


def test_d4_an_edited_plan_is_planned_anew_once_and_not_for_ever(acme, site):
    plan = acme.plan(site)
    run(create_job)
    Job.objects.filter(pk=plan.pk).update(cron="0 8 * * *", mdtz=MORNING)

    deleted = [run(create_job)["deleted_for_edit"] for _ in range(3)]

    assert deleted == [1, 0, 0]


def test_d4_reminders_do_not_keep_an_edited_plan_from_being_planned(acme, site):
    plan = acme.ppm(site, ("HOUR", 2, ""))
    run(create_ppm_job)
    Job.objects.filter(pk=plan.pk).update(cron="0 12 * * 1")

    result = run(create_ppm_job)

    assert (result["deleted_for_edit"], result["reminders_created"]) == (3, 3)


def test_d5_each_plan_belongs_to_one_of_the_two_tasks(acme, site):
    kinds = {"TASK": acme.plan(site), "SITEREPORT": acme.plan(site, identifier="SITEREPORT"), "PPM": acme.ppm(site)}
    kinds |= {"INTERNALTOUR": acme.tour(site, 3), "EXTERNALTOUR": acme.external_tour(site)}

    run(create_job)
    first = {kind for kind, plan in kinds.items() if acme.roots(plan)}
    Jobneed.objects.filter(job__in=kinds.values()).update(jobtype="ADHOC")
    run(create_ppm_job)
    second = {kind for kind, plan in kinds.items() if Jobneed.objects.filter(job=plan, jobtype="SCHEDULE").exists()}

    assert first == {"TASK", "SITEREPORT", "INTERNALTOUR", "EXTERNALTOUR"}
    assert second == {"PPM"}


def test_d5_a_disabled_maintenance_plan_is_not_planned(acme, site):
    plan = acme.ppm(site, enable=False)

    assert run(create_ppm_job)["jobs_seen"] == 0
    assert acme.roots(plan) == []


@pytest.mark.parametrize("limit", ["fromdate", "now"])
def test_d6_an_occurrence_exactly_at_the_beginning_is_not_lost(acme, site, clock_at, limit):
    plan = acme.plan(site, **({"fromdate": at("04 00:30")} if limit == "fromdate" else {}))
    if limit == "now":
        clock_at(at("03 00:30"))

    run(create_job)

    first = at("04 00:20") if limit == "fromdate" else at("03 00:20")
    assert acme.roots(plan)[0].plandatetime == first


@pytest.mark.parametrize("limit", ["uptodate", "horizon"])
def test_d6_an_occurrence_exactly_at_the_end_belongs_to_the_next_window(acme, site, clock_at, limit):
    plan = acme.plan(site, **({"uptodate": at("04 00:30")} if limit == "uptodate" else {}))
    if limit == "horizon":
        clock_at(at("02 00:30"))

    run(create_job)

    assert acme.roots(plan)[-1].plandatetime == at("03 00:20")


def test_d7_a_run_makes_no_reminders_for_what_it_did_not_make(acme, site, clock_at):
    plan = acme.ppm(site, ("DAY", 1, ""))
    run(create_ppm_job)
    before = Reminder.objects.count()
    acme.remind(plan, "HOUR", 2)
    clock_at(MORNING + timedelta(hours=13))

    result = run(create_ppm_job)

    assert (result["reminders_created"], Reminder.objects.count()) == (0, before)


@pytest.mark.parametrize("moment", ["stops", "questions", "_remember"])
def test_d8_a_plan_that_fails_halfway_leaves_nothing_and_the_others_are_planned(acme, site, monkeypatch, moment):
    before, doomed, after = acme.tour(site, 3), acme.tour(site, 3), acme.tour(site, 3)
    owner = writing if moment == "_remember" else writing.RowMaker
    real = getattr(owner, moment)

    def fails_for_one(first, *args, **kwargs):
        plans = [intent.plan for intent in first] if moment == "_remember" else [first._plan]
        if doomed in plans:
            raise ZeroDivisionError("the light went out")
        return real(first, *args, **kwargs)

    monkeypatch.setattr(owner, moment, fails_for_one)

    with pytest.raises(RowsFailed, match=rf"{doomed.pk}: ZeroDivisionError: the light went out"):
        run(create_job)

    assert [len(acme.roots(plan)) for plan in (before, doomed, after)] == [16, 0, 16]
    assert not Jobneed.objects.filter(job=doomed).exists()
    monkeypatch.undo()
    again = run(create_job, attempt=2)
    assert (again["jobneeds_created"], again["children_created"], len(acme.roots(doomed))) == (16, 16, 16)


def test_d8_a_bad_cron_is_told_and_not_passed_over(acme, site):
    flawed, good = acme.ppm(site, cron="0 25 * * *"), acme.ppm(site)

    result = run(create_ppm_job)

    assert result["skipped"] == [{"job_id": flawed.pk, "reason": "bad_cron"}]
    assert len(acme.roots(good)) == 3


def test_d9_details_say_whether_an_answer_is_mandatory_and_from_which_set_they_are(acme, site):
    qset = acme.qset(0)
    acme.ask(qset, 1, ismandatory=True)
    acme.ask(qset, 2, ismandatory=False)
    task, tour = acme.plan(site, qset=qset), acme.tour(site)
    acme.stop_plan(tour, 3, qset=qset)

    run(create_job)

    for row in (acme.roots(task)[0], stops_of(acme.roots(tour)[0])[0]):
        assert [(detail.ismandatory, detail.qset_id) for detail in details(row)] == [(True, qset.pk), (False, qset.pk)]


@pytest.mark.django_db(transaction=True)
def test_d10_the_way_is_asked_for_once_and_outside_of_transactions(acme, site, roads):
    acme.tour(site, 3, 3, points=SPOTS[:2], other_info={"tour_frequency": 2})

    result = run(create_job)

    assert result["jobneeds_created"] == 16
    assert (len(roads.asked), roads.in_transaction) == (1, [False])


def test_d10_each_repeat_runs_in_reverse_after_its_own_break(acme, site, roads):
    tour = acme.tour(
        site, 3, 3, 3, points=SPOTS[:3], cron="0 6 * * *", other_info={"tour_frequency": 3, "breaktime": "20"}
    )
    there = [plan.asset_id for plan in Job.objects.filter(parent=tour).order_by("seqno")]

    run(create_job)

    root = acme.roots(tour)[0]
    stops = stops_of(root)
    assert [stop.asset_id for stop in stops] == [*there, *there[::-1], *there[::-1]]
    ends = [root.plandatetime, *(stop.expirydatetime for stop in stops)]
    waits = [(stop.plandatetime - before).seconds // 60 for before, stop in zip(ends, stops, strict=False)]
    # 700 seconds are eleven whole minutes; no way to the first stop of a round.
    assert waits == [0, 11, 11, 20, 11, 11, 20, 11, 11]
    assert root.expirydatetime == stops[-1].expirydatetime
    assert [stop.seqno for stop in stops] == list(range(9))


def test_d10_a_retry_shuffles_as_the_first_attempt_did(acme, site, roads, monkeypatch):
    tour = acme.tour(site, 3, 3, 3, 3, points=SPOTS, other_info={"is_randomized": "True"})
    attempts = []
    real = writing._remember

    def fails_once(intent, *args):
        rows = Jobneed.objects.filter(job=tour).exclude(parent_id=1).order_by("plandatetime")
        attempts.append(list(rows.values_list("plandatetime", "asset_id")))
        if len(attempts) == 1:
            raise ZeroDivisionError
        real(intent, *args)

    monkeypatch.setattr(writing, "_remember", fails_once)
    with pytest.raises(RowsFailed):
        run(create_job)
    run(create_job, attempt=2)

    first, second = attempts
    assert first == second
    orders = {tuple(asset for _, asset in first[start : start + 4]) for start in range(0, len(first), 4)}
    assert len(orders) > 1  # one order for all would be no shuffling


def test_d10_without_a_provider_of_its_own_the_great_circle_is_driven(acme, site):
    zigzag = [SPOTS[0], SPOTS[2], SPOTS[1], SPOTS[3]]
    tour = acme.tour(site, 3, 3, 3, 3, points=zigzag, cron="0 6 * * *", other_info={"tour_frequency": 2})
    plans = list(Job.objects.filter(parent=tour).order_by("seqno"))

    run(create_job)

    stops = stops_of(acme.roots(tour)[0])
    shortest = [plans[position].asset_id for position in (0, 2, 1, 3)]
    assert [stop.asset_id for stop in stops] == [*shortest, *shortest[::-1]]
    km = routes.great_circle_km((19.0, 72.8), (19.01, 72.8))
    assert stops[1].plandatetime - stops[0].expirydatetime == timedelta(minutes=int(km / 30 * 60))


def test_d31_a_client_at_greenwich_is_planned_in_utc(greenwich):
    plan = greenwich.plan(greenwich.site("1"))

    result = run(create_job)

    assert [root.plandatetime for root in greenwich.roots(plan)] == [at("03 05:50"), at("04 05:50")]
    assert result["warnings"] == []


def test_d47_one_statement_a_table_for_each_plan(acme, site):
    acme.tour(site, 3, 3)

    with CaptureQueriesContext(connection) as queries:
        run(create_job)

    made = inserts(queries.captured_queries)
    # Roots and stops are rows of one table; the ledger has a statement for each, too.
    assert made["jobneed"] == 2
    assert made["jobneeddetails"] == 1


def test_d47_reminders_are_one_statement_for_each_plan(acme, site):
    acme.ppm(site, ("DAY", 1, ""), ("HOUR", 2, ""))

    with CaptureQueriesContext(connection) as queries:
        run(create_ppm_job)

    made = inserts(queries.captured_queries)
    assert (made["jobneed"], made["jobneeddetails"], made["reminder"]) == (1, 1, 1)


def test_d47_neither_questions_nor_stops_nor_occurrences_cost_statements(acme, site):
    def statements(plan):
        with CaptureQueriesContext(connection) as queries:
            run(create_job, jobids=[plan.pk])
        return len(queries)

    small = acme.tour(site, 3, cron="0 6 * * *")
    large = acme.tour(site, *[3] * 12, cron="*/30 * * * *")

    assert statements(small) == statements(large)
    assert len(acme.roots(large)) > 40 * len(acme.roots(small)) > 0


def test_d47_many_plans_cost_as_many_statements_as_two(acme, site):
    def statements(*plans):
        with CaptureQueriesContext(connection) as queries:
            run(create_job, jobids=[plan.pk for plan in plans])
        return len(queries)

    qset = acme.qset(3)
    two = statements(*(acme.plan(site, qset=qset) for _ in range(2)))
    many = [acme.plan(site, qset=qset) for _ in range(40)]

    assert statements(*many) == two
    assert {len(acme.roots(plan)) for plan in many} == {2}


def test_d47_plans_with_nothing_to_do_cost_no_statement_of_their_own(acme, site):
    def statements():
        with CaptureQueriesContext(connection) as queries:
            run(create_job)
        return len(queries)

    acme.plan(site)
    run(create_job)
    one = statements()
    for _ in range(5):
        acme.plan(site)
    run(create_job)

    assert statements() == one
