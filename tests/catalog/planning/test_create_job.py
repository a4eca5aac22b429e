"""create_job on a real database: the rows it makes, and when it makes them again or not."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from task_catalog.facility.models import Jobneed, JobneedDetails
from task_catalog.high_priority.scheduling import create_job
from task_catalog.models import PlanFingerprint
from task_catalog.planning import run as planning_run
from tests.catalog.planning.world import MORNING, NONE, START, at, details, run, stops_of
from youtility_tasks.testing import assert_enqueued, enqueued

KEYS = {
    "status",
    "warnings",
    "jobs_seen",
    "jobs_scheduled",
    "jobneeds_created",
    "jobneeds_existing",
    "details_created",
    "deleted_for_edit",
    "skipped",
    "children_created",
    "per_job",
}
OF_THE_PLAN = [
    "asset_id",
    "bu_id",
    "client_id",
    "ctzoffset",
    "cuser_id",
    "gracetime",
    "identifier",
    "muser_id",
    "other_info",
    "people_id",
    "pgroup_id",
    "priority",
    "qset_id",
    "scantype",
    "sgroup_id",
    "ticketcategory_id",
]
"""Columns that a root copies."""
OF_THE_TOUR = ["gracetime", "identifier", "jobstatus", "jobtype", "other_info", "pgroup_id", "scantype", "sgroup_id"]
OF_THE_STOP = [
    "asset_id",
    "bu_id",
    "client_id",
    "ctzoffset",
    "cuser_id",
    "muser_id",
    "people_id",
    "priority",
    "qset_id",
    "ticketcategory_id",
]


def test_a_task_gets_its_occurrences_of_the_next_48_hours(acme, site):
    plan = acme.plan(site)

    result = run(create_job)

    assert [(root.plandatetime, root.expirydatetime) for root in acme.roots(plan)] == [
        (at("03 00:20"), at("03 01:20")),
        (at("04 00:20"), at("04 01:20")),
    ]
    assert result == {
        "status": "ok",
        "warnings": [],
        "jobs_seen": 1,
        "jobs_scheduled": 1,
        "jobneeds_created": 2,
        "jobneeds_existing": 0,
        "details_created": 4,
        "deleted_for_edit": 0,
        "skipped": [],
        "children_created": 0,
        "per_job": [
            {
                "job_id": plan.pk,
                "created": 2,
                "first": "2025-03-03T00:20:00+00:00",
                "last": "2025-03-04T00:20:00+00:00",
            }
        ],
    }
    plan.refresh_from_db()
    assert plan.lastgeneratedon == at("04 00:20")
    assert plan.mdtz == START


def test_a_root_says_what_the_plan_says(acme, site):
    maker, guard = acme.person("maker", site), acme.person("guard", site)
    group, sites = acme.group(guard), acme.group(site)
    plan = acme.plan(
        site,
        asset=acme.asset(site, asset_json={"multifactor": 2.5}),
        people=guard,
        pgroup=group,
        sgroup=sites,
        cuser=maker,
        muser=guard,
        priority="HIGH",
        scantype="NFC",
        frequency="DAILY",
        ticketcategory=acme.word("RAISETICKETNOTIFY", "NOTIFYCATEGORY"),
        other_info={"istimebound": True, "mine": [1]},
    )

    run(create_job)

    root = acme.roots(plan)[0]
    for column in OF_THE_PLAN:
        assert getattr(root, column) == getattr(plan, column), column
    assert (root.jobdesc, root.jobtype, root.jobstatus, root.frequency) == (
        plan.jobname,
        "SCHEDULE",
        "ASSIGNED",
        "NONE",
    )
    assert (root.seqno, root.parent_id, root.performedby_id, root.ticket_id) == (0, NONE, NONE, NONE)
    assert (root.remarks, root.gpslocation, root.multifactor) == ("", "0.0,0.0", Decimal("2.5"))
    assert (root.starttime, root.endtime) == (None, None)
    assert (root.cdtz, root.mdtz) == (MORNING, MORNING)
    assert len({each.uuid for each in Jobneed.objects.all()}) == Jobneed.objects.count()


def test_each_question_of_the_set_becomes_a_detail_in_its_order(acme, site):
    qset = acme.qset(0)
    acme.ask(qset, 2, answertype="DROPDOWN", options="Yes,No", isavpt=True, avpttype="FRONTCAMPIC", ismandatory=True)
    first = acme.ask(qset, 1, min=Decimal("1.5"), max=None, alerton=">7", ismandatory=False)
    plan = acme.plan(site, qset=qset, cuser=acme.person("maker"))

    run(create_job)

    one, two = details(acme.roots(plan)[0])
    assert (one.seqno, one.question_id, one.answertype) == (1, first.question_id, "NUMERIC")
    assert (one.min, one.max, one.alerton, one.options) == (Decimal("1.5"), None, ">7", "")
    assert (one.cuser_id, one.ctzoffset, one.cdtz, one.answer) == (plan.cuser_id, 330, MORNING, None)
    assert (two.seqno, two.options, two.isavpt, two.avpttype) == (2, "Yes,No", True, "FRONTCAMPIC")


def test_a_tour_gets_its_stops_one_after_the_other_and_ends_with_the_last(acme, site):
    tour = acme.tour(site, 3, 4, planduration=5, gracetime=5, expirytime=99)

    result = run(create_job, jobids=[tour.pk])

    root = acme.roots(tour)[0]
    assert root.plandatetime == at("03 00:25")  # 06:00 by the client's clock is 00:30
    assert [(stop.plandatetime, stop.expirydatetime) for stop in stops_of(root)] == [
        (at("03 00:28"), at("03 00:38")),
        (at("03 00:42"), at("03 00:52")),
    ]
    assert root.expirydatetime == at("03 00:52")
    assert result["children_created"] == 2 * result["jobneeds_created"] == 2 * 16
    assert result["details_created"] == 16 * (1 + 2 * 2)


def test_a_tour_asks_nothing_but_one_placeholder(acme, site):
    tour = acme.tour(site, 3)

    run(create_job)

    (placeholder,) = details(acme.roots(tour)[0])
    assert (placeholder.question_id, placeholder.answertype, placeholder.answer) == (NONE, "NONE", "NONE")


def test_a_stop_says_some_things_like_its_own_plan_and_some_like_the_tour(acme, site):
    guard, watchman = acme.person("guard", site), acme.person("watchman", site)
    group = acme.group(guard)
    tour = acme.tour(site, pgroup=group, people=guard, scantype="QR", gracetime=7)
    checkpoint = acme.asset(site, assetname="Gate", asset_json={"multifactor": 3})
    plan = acme.stop_plan(
        tour,
        3,
        asset=checkpoint,
        jobname="scan the gate",
        people=watchman,
        cuser=watchman,
        scantype="NFC",
        gracetime=1,
        ctzoffset=300,
        ticketcategory=acme.word("AUTOCLOSED", "NOTIFYCATEGORY"),
    )

    run(create_job)

    root = acme.roots(tour)[0]
    (stop,) = stops_of(root)
    for column in OF_THE_STOP:
        assert getattr(stop, column) == getattr(plan, column), column
    for column in OF_THE_TOUR:
        assert getattr(stop, column) == getattr(root, column), column
    assert (stop.job_id, stop.parent_id, stop.seqno) == (tour.pk, root.pk, 0)
    assert (stop.jobdesc, stop.multifactor) == ("Gate - scan the gate", 3)
    assert [detail.qset_id for detail in details(stop)] == [plan.qset_id] * 2


def test_stops_come_by_seqno_and_only_those_that_are_enabled(acme, site):
    tour = acme.tour(site)
    late = acme.stop_plan(tour, 1, seqno=9, jobname="late")
    acme.stop_plan(tour, 1, seqno=5, jobname="off", enable=False)
    early = acme.stop_plan(tour, 1, seqno=2, jobname="early")

    run(create_job)

    stops = stops_of(acme.roots(tour)[0])
    assert [(stop.asset_id, stop.seqno) for stop in stops] == [(early.asset_id, 0), (late.asset_id, 1)]


def test_an_external_tour_goes_from_site_to_site(acme):
    north, south = acme.site("N"), acme.site("S")
    type(north).objects.filter(pk=north.pk).update(solid="100", gpslocation="19.1000,72.8000")
    tour = acme.external_tour(north, south, minutes=12)

    run(create_job)

    root = acme.roots(tour)[0]
    first, second = stops_of(root)
    assert first.jobdesc == f"{tour.sgroup.groupname} - 100 - {north.buname}"
    assert (first.bu_id, first.gpslocation, second.gpslocation) == (north.pk, "19.1000,72.8000", "0.0,0.0")
    assert root.plandatetime == first.plandatetime == at("03 14:25")
    assert second.plandatetime - first.expirydatetime == timedelta(minutes=12)
    assert (first.asset_id, first.sgroup_id) == (NONE, tour.sgroup_id)


def test_running_twice_makes_nothing_twice(acme, site):
    acme.plan(site)
    acme.tour(site, 3, 3)
    run(create_job)
    rows = set(Jobneed.objects.values_list("pk", "uuid")), set(JobneedDetails.objects.values_list("pk", "uuid"))

    again = run(create_job)

    assert (again["jobneeds_created"], again["details_created"], again["children_created"]) == (0, 0, 0)
    assert again["jobneeds_existing"] == 18
    assert again["per_job"] == []
    assert rows == (
        set(Jobneed.objects.values_list("pk", "uuid")),
        set(JobneedDetails.objects.values_list("pk", "uuid")),
    )


def test_the_next_run_adds_only_what_has_come_into_the_window(acme, site, clock_at):
    plan = acme.plan(site)
    run(create_job)
    clock_at(MORNING + timedelta(hours=8))

    result = run(create_job)

    assert (result["jobneeds_created"], result["jobneeds_existing"]) == (1, 1)
    assert [root.plandatetime for root in acme.roots(plan)] == [at("03 00:20"), at("04 00:20"), at("05 00:20")]
    plan.refresh_from_db()
    assert plan.lastgeneratedon == at("05 00:20")


def test_an_occurrence_that_somebody_deleted_stays_away(acme, site):
    plan = acme.plan(site)
    run(create_job)
    doomed = acme.roots(plan)[1]
    JobneedDetails.objects.filter(jobneed=doomed).delete()
    doomed.delete()

    result = run(create_job)

    assert result["jobneeds_created"] == 0
    assert len(acme.roots(plan)) == 1
    assert [str(plan.pk) in warning for warning in result["warnings"]] == [True]


def test_an_occurrence_that_was_there_before_the_ledger_is_left_alone(acme, site):
    plan = acme.plan(site)
    old = acme.work(site, job=plan, plandatetime=at("03 00:20"), expirydatetime=at("03 09:00"))

    result = run(create_job)

    assert (result["jobneeds_created"], result["jobneeds_existing"]) == (1, 1)
    assert acme.roots(plan)[0] == old
    assert details(old) == []


def test_unplanned_work_at_the_same_instant_is_no_occurrence(acme, site):
    plan = acme.plan(site)
    acme.work(site, job=plan, plandatetime=at("03 00:20"), jobtype="ADHOC")

    assert run(create_job)["jobneeds_created"] == 2


def test_seconds_of_the_clock_do_not_show_in_the_rows(acme, site, clock_at):
    plan = acme.plan(site)
    clock_at(MORNING + timedelta(seconds=17, microseconds=5))

    run(create_job)

    root = acme.roots(plan)[0]
    assert root.plandatetime == at("03 00:20")
    assert root.cdtz == MORNING + timedelta(seconds=17)


def test_an_empty_window_is_no_error(acme, site):
    plan = acme.plan(site, fromdate=at("10 00:00"))

    result = run(create_job)

    assert (result["jobs_seen"], result["jobs_scheduled"], result["skipped"]) == (1, 0, [])
    plan.refresh_from_db()
    assert plan.lastgeneratedon is None


def test_an_unknown_wall_clock_is_that_of_the_sites_other_plans_with_a_warning(acme, site):
    for offset in (330, 330, 60):
        acme.plan(site, enable=False, ctzoffset=offset)
    plan = acme.plan(site, ctzoffset=-1)

    result = run(create_job)

    root = acme.roots(plan)[0]
    assert (root.plandatetime, root.ctzoffset) == (at("03 00:20"), -1)
    assert [str(site.pk) in warning for warning in result["warnings"]] == [True]


def test_without_any_known_wall_clock_it_is_utc(acme, site):
    plan = acme.plan(site, ctzoffset=-1)

    run(create_job)

    assert acme.roots(plan)[0].plandatetime == at("03 05:50")


def test_a_tour_without_stops_is_planned_with_a_warning(acme, site):
    tour = acme.tour(site, expirytime=15)

    result = run(create_job)

    root = acme.roots(tour)[0]
    assert root.expirydatetime == at("03 00:50")
    assert [str(tour.pk) in warning for warning in result["warnings"]] == [True]


def test_a_plan_with_too_many_rows_gets_the_first_ones_now_and_the_rest_later(acme, site, monkeypatch):
    monkeypatch.setattr(planning_run, "MOST_ROWS", 40)
    plan = acme.plan(site, cron="*/30 * * * *")  # four rows each at most: ten at a time

    counts = []
    for _ in range(3):
        result = run(create_job)
        counts.append((result["jobneeds_created"], len(result["warnings"])))

    assert counts == [(10, 1), (10, 1), (10, 1)]
    roots = acme.roots(plan)
    assert {later.plandatetime - root.plandatetime for root, later in itertools.pairwise(roots)} == {
        timedelta(minutes=30)
    }


def test_a_run_whose_time_is_up_leaves_the_rest_to_another_job(acme, site):
    acme.plan(site)

    result = run(create_job, used_up=0.9)

    assert (result["status"], result["jobneeds_created"]) == ("partial", 0)
    assert_enqueued("create_job", jobids=None)


def test_a_run_within_its_time_enqueues_nothing(acme, site):
    acme.plan(site)

    run(create_job)

    assert enqueued() == []


def test_times_come_from_the_clock_port_only(acme, site):
    acme.plan(site)

    run(create_job)

    assert not Jobneed.objects.filter(cdtz__gte=timezone.now() - timedelta(days=1)).exists()
    assert PlanFingerprint.objects.get().updated_at == MORNING


def test_the_result_has_exactly_the_keys_of_the_catalogue(acme):
    assert run(create_job).keys() == KEYS
