"""Which plans create_job plans, whose, and what it says of the others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from task_catalog.facility.models import Job, Jobneed
from task_catalog.high_priority.scheduling import create_job
from task_catalog.models import PlanFingerprint
from tests.catalog.planning.world import MORNING, NONE, START, at, run
from youtility_tasks import BadInput, effects, tenant
from youtility_tasks.models import TaskEffect

IDLE = {
    "disabled": {"enable": False},
    "ended": {"uptodate": MORNING - timedelta(minutes=1)},
    "not_scheduled": {"cron": "* * * * *"},
    "dynamic": {"other_info": {"isdynamic": True}},
    "other_identifier": {"identifier": "GEOFENCE"},
}


FLAWED = {
    "bad_cron": [{"cron": "61 * * * *"}, {"cron": "0 0 30 2 *"}, {"cron": "0 6 * *"}, {"cron": "0 0 6 * * *"}],
    "no_window": [{"fromdate": None}, {"fromdate": at("20 00:00"), "uptodate": at("10 00:00")}],
    "no_asset": [{"asset_id": NONE}, {"asset_id": None}],
    "no_qset": [{"qset_id": NONE}, {"qset_id": None}],
}


@pytest.mark.parametrize("why", [*IDLE, "scrapped_asset", "blank", "not_root", "dynamic_in_words"])
def test_what_is_no_candidate_appears_nowhere_and_is_reported_when_named(acme, site, why):
    match why:
        case "scrapped_asset":
            reason, plan = why, acme.plan(site, asset=acme.asset(site, runningstatus="SCRAPPED"))
        case "blank":
            reason, plan = "not_scheduled", acme.plan(site, cron=" ")
        case "dynamic_in_words":
            reason, plan = "dynamic", acme.tour(site, 3, other_info={"isdynamic": "True"})
        case "not_root":
            parent = acme.plan(site, enable=False)
            reason, plan = why, acme.plan(site, parent=parent)
        case _:
            reason, plan = why, acme.plan(site, **IDLE[why])

    swept = run(create_job)
    named = run(create_job, jobids=[plan.pk])

    assert (swept["jobs_seen"], swept["skipped"], swept["status"]) == (0, [], "ok")
    assert (named["jobs_seen"], named["status"]) == (1, "skipped")
    assert named["skipped"] == [{"job_id": plan.pk, "reason": reason}]
    assert named["jobneeds_created"] == 0
    assert acme.roots(plan) == []
    assert not TaskEffect.objects.filter(key__startswith="notice:").exists()


def test_the_none_plan_is_never_planned_even_if_somebody_fills_it_in(acme, site):
    Job.objects.filter(pk=NONE).update(
        enable=True, cron="0 6 * * *", identifier="TASK", client_id=acme.id, fromdate=START, uptodate=at("20 00:00")
    )

    assert run(create_job)["jobs_seen"] == 0
    with pytest.raises(BadInput, match=f"no plan {NONE}"):
        run(create_job, jobids=[NONE])


def test_named_plans_are_planned_and_no_others(acme, site):
    wanted, other = acme.plan(site), acme.plan(site)

    result = run(create_job, jobids=[wanted.pk, wanted.pk])

    assert (result["jobs_seen"], result["jobneeds_created"]) == (1, 2)
    assert acme.roots(other) == []


def test_one_good_and_one_ineligible_plan_named_together(acme, site):
    good, off = acme.plan(site), acme.plan(site, enable=False)

    result = run(create_job, jobids=[off.pk, good.pk])

    assert (result["status"], result["jobneeds_created"]) == ("ok", 2)
    assert result["skipped"] == [{"job_id": off.pk, "reason": "disabled"}]


@pytest.mark.parametrize(
    "ids",
    [
        [],
        "7",
        7,
        {"7": 1},
        ["7"],
        [True],
        [0],
        [-3],
        [1.5],
        [None],
        [2**63],
        list(range(1_000, 1_501)),
    ],
    ids=lambda ids: str(ids)[:20],
)
def test_bad_ids_are_refused_before_any_write(acme, site, ids):
    acme.plan(site)

    with pytest.raises(BadInput):
        run(create_job, jobids=ids)

    assert acme.roots() == []
    assert not TaskEffect.objects.exists()


def test_an_unknown_id_is_named_and_nothing_is_written(acme, site):
    plan = acme.plan(site)

    with pytest.raises(BadInput, match="999999"):
        run(create_job, jobids=[plan.pk, 999_999])

    assert acme.roots(plan) == []


def test_another_clients_plan_is_unknown_to_a_client(acme, globex, site):
    theirs = globex.plan(globex.site("1"))

    with tenant(acme.id), pytest.raises(BadInput, match=f"no plan {theirs.pk}"):
        run(create_job, jobids=[theirs.pk])

    assert globex.roots(theirs) == []


def test_a_sweep_finds_named_plans_at_whichever_client_they_are(acme, globex, site):
    ours, theirs = acme.plan(site), globex.plan(globex.site("1"))

    result = run(create_job, jobids=[ours.pk, theirs.pk])

    assert (result["jobs_seen"], result["jobneeds_created"]) == (2, 4)


def test_each_clients_work_stays_its_own(acme, globex, site):
    plans = {
        acme: acme.tour(site, 3, jobname="Night tour"),
        globex: globex.tour(globex.site("1"), 3, jobname="Night tour"),
    }

    run(create_job)

    for company, plan in plans.items():
        roots = company.roots()
        assert {root.job_id for root in roots} == {plan.pk}
        rows = Jobneed.objects.filter(job=plan)
        assert set(rows.values_list("client_id", flat=True)) == {company.id}
        keys = TaskEffect.objects.filter(tenant_id=company.id, key__startswith="jobneed:")
        assert keys.count() == len(roots)
        assert PlanFingerprint.objects.get(job_id=plan.pk).client_id == company.id


def test_within_a_client_only_its_plans_are_planned(acme, globex, site):
    ours, theirs = acme.plan(site), globex.plan(globex.site("1"))

    with tenant(globex.id):
        result = run(create_job)

    assert result["jobs_seen"] == 1
    assert (len(acme.roots(ours)), len(globex.roots(theirs))) == (0, 2)


def test_another_clients_things_are_never_put_into_work(acme, globex, site):
    elsewhere = globex.site("1")
    machine, checklist = globex.asset(elsewhere), globex.qset()
    plans = {
        "no_asset": acme.plan(site, asset=machine),
        "no_qset": acme.plan(site, qset=checklist),
        "no_asset of a report": acme.plan(site, identifier="SITEREPORT", asset=machine),
    }
    tour = acme.tour(site, 3)
    acme.stop_plan(tour, 3, qset=checklist)

    with tenant(acme.id):
        result = run(create_job)

    reasons = {each["job_id"]: each["reason"] for each in result["skipped"]}
    assert reasons == {**{plan.pk: why.partition(" ")[0] for why, plan in plans.items()}, tour.pk: "no_qset"}
    assert acme.roots() == []


def test_a_site_report_needs_no_asset(acme, site):
    plan = acme.plan(site, identifier="SITEREPORT", asset_id=NONE)

    run(create_job)

    assert [root.multifactor for root in acme.roots(plan)] == [1, 1]


@pytest.mark.parametrize(("reason", "columns"), [(reason, each) for reason, all_ in FLAWED.items() for each in all_])
def test_a_plan_that_somebody_must_correct_is_listed_and_the_others_go_on(acme, site, reason, columns):
    flawed, good = acme.plan(site, **columns), acme.plan(site)

    result = run(create_job)

    assert result["skipped"] == [{"job_id": flawed.pk, "reason": reason}]
    assert (result["jobs_seen"], result["jobs_scheduled"], result["jobneeds_created"]) == (2, 1, 2)
    assert len(acme.roots(good)) == 2
    with tenant(acme.id):
        (notice,) = effects.pending("notice:")
    assert notice.key == f"notice:plan:{flawed.pk}:2025-03-03"
    assert reason in notice.payload["subject"]


@pytest.mark.parametrize(("column", "reason"), [("asset_id", "no_asset"), ("qset_id", "no_qset")])
def test_a_tour_with_a_stop_that_lacks_something_is_listed(acme, site, column, reason):
    tour = acme.tour(site, 3)
    acme.stop_plan(tour, 3, **{column: NONE})

    result = run(create_job)

    assert result["skipped"] == [{"job_id": tour.pk, "reason": reason}]
    assert acme.roots(tour) == []


def test_the_administrators_hear_of_a_plan_once_a_day_of_its_own_calendar(acme, site, clock_at):
    plan = acme.plan(site, cron="bad")
    local_evening = at("03 18:29")  # 23:59 by the client's clock

    for moment in (MORNING, at("03 08:27"), local_evening, local_evening + timedelta(minutes=1)):
        clock_at(moment)
        run(create_job)

    keys = TaskEffect.objects.filter(key__startswith="notice:").values_list("key", flat=True)
    assert set(keys) == {f"notice:plan:{plan.pk}:2025-03-03", f"notice:plan:{plan.pk}:2025-03-04"}
