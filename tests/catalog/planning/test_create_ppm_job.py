"""create_ppm_job on a real database: maintenance far ahead, and the reminders of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from task_catalog.facility.models import Jobneed, JobneedDetails, Reminder
from task_catalog.high_priority.scheduling import create_job, create_ppm_job
from tests.catalog.planning.world import MORNING, at, run
from youtility_tasks import BadInput, effects, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import assert_enqueued

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
    "reminders_created",
    "reminders_skipped_past",
}


def test_maintenance_is_planned_to_the_end_of_its_validity(acme, site):
    plan = acme.ppm(site)

    result = run(create_ppm_job)

    # Mondays at 10:00 by the client's clock are 04:30; ten minutes before.
    assert [root.plandatetime for root in acme.roots(plan)] == [at("03 04:20"), at("10 04:20"), at("17 04:20")]
    assert result == {
        "status": "ok",
        "warnings": [],
        "jobs_seen": 1,
        "jobs_scheduled": 1,
        "jobneeds_created": 3,
        "jobneeds_existing": 0,
        "details_created": 6,
        "deleted_for_edit": 0,
        "skipped": [],
        "reminders_created": 0,
        "reminders_skipped_past": 0,
    }


def test_but_not_further_than_the_setting_says(acme, site, settings):
    settings.TASK_CATALOG = {**settings.TASK_CATALOG, "ppm_horizon_days": 8}
    plan = acme.ppm(site)

    run(create_ppm_job)

    assert [root.plandatetime for root in acme.roots(plan)] == [at("03 04:20"), at("10 04:20")]


def test_a_reminder_says_what_the_plan_says_and_when(acme, site):
    guard = acme.person("guard", site)
    plan = acme.ppm(
        site,
        ("DAY", 1, "desk@acme.example"),
        people=guard,
        pgroup=acme.group(guard),
        priority="HIGH",
        cuser=guard,
        uptodate=at("11 00:00"),
    )

    run(create_ppm_job)

    # The reminder of today's occurrence lies in the past.
    reminder = Reminder.objects.get()
    root = acme.roots(plan)[1]
    assert (reminder.jobneed_id, reminder.job_id, reminder.plandatetime) == (root.pk, plan.pk, at("10 04:20"))
    assert (reminder.reminderdate, reminder.reminderin, reminder.reminderbefore) == (at("09 04:20"), "DAY", 1)
    assert (reminder.mailids, reminder.status, reminder.description) == ("desk@acme.example", "", plan.jobname)
    for column in ("bu_id", "asset_id", "qset_id", "people_id", "priority", "cuser_id", "muser_id", "ctzoffset"):
        assert getattr(reminder, column) == getattr(plan, column), column
    assert (reminder.group_id, reminder.cdtz) == (plan.pgroup_id, MORNING)


@pytest.mark.parametrize(
    ("unit", "value", "before"),
    [
        ("MINUTE", 90, timedelta(minutes=90)),
        ("HOUR", 2, timedelta(hours=2)),
        ("DAY", 3, timedelta(days=3)),
        ("WEEK", 1, timedelta(weeks=1)),
        ("HOUR", 0, timedelta(0)),
    ],
)
def test_each_unit_is_so_long(acme, site, unit, value, before):
    acme.ppm(site, (unit, value, ""), fromdate=at("16 00:00"))

    run(create_ppm_job)

    assert Reminder.objects.get().reminderdate == at("17 04:20") - before


def test_a_reminder_that_would_be_past_is_counted_and_not_made(acme, site, clock_at):
    clock_at(at("03 02:20"))
    acme.ppm(site, ("HOUR", 2, ""), ("MINUTE", 119, ""), ("WEEK", 900_000_000, ""), uptodate=at("04 00:00"))

    result = run(create_ppm_job)

    assert (result["reminders_created"], result["reminders_skipped_past"]) == (1, 2)
    assert Reminder.objects.get().reminderbefore == 119


def test_two_rules_of_the_same_moment_are_one_reminder_to_both_addresses(acme, site):
    acme.ppm(site, ("HOUR", 2, "a@x.example"), ("HOUR", 2, "b@x.example"), fromdate=at("16 00:00"))

    assert run(create_ppm_job)["reminders_created"] == 1
    assert Reminder.objects.get().mailids == "a@x.example,b@x.example"


@pytest.mark.parametrize(("unit", "value"), [("FORTNIGHT", 1), ("", 1), ("DAY", None)])
def test_a_rule_that_cannot_be_read_is_listed_and_the_others_go_on(acme, site, unit, value):
    flawed, good = acme.ppm(site, ("DAY", 1, ""), (unit, value, "")), acme.ppm(site)

    result = run(create_ppm_job)

    assert result["skipped"] == [{"job_id": flawed.pk, "reason": "bad_unit"}]
    assert (acme.roots(flawed), len(acme.roots(good))) == ([], 3)
    assert not Reminder.objects.exists()
    with tenant(acme.id):
        assert [notice.key for notice in effects.pending("notice:")] == [f"notice:plan:{flawed.pk}:2025-03-03"]


def test_another_clients_reminder_rule_says_nothing_about_our_plan(acme, globex, site):
    plan = acme.ppm(site)
    rule = globex.remind(plan, "DAY", 1, "spy@globex.example")
    assert rule.client_id == globex.id

    assert run(create_ppm_job)["reminders_created"] == 0


def test_running_twice_makes_no_second_reminder(acme, site):
    acme.ppm(site, ("DAY", 1, ""), ("HOUR", 2, ""))
    run(create_ppm_job)
    before = set(Reminder.objects.values_list("pk", flat=True)), Jobneed.objects.count()

    again = run(create_ppm_job)

    assert (again["jobneeds_created"], again["reminders_created"], again["reminders_skipped_past"]) == (0, 0, 0)
    assert again["jobneeds_existing"] == 3
    assert before == (set(Reminder.objects.values_list("pk", flat=True)), Jobneed.objects.count())


def test_every_row_has_its_effect_key(acme, site):
    plan = acme.ppm(site, ("DAY", 1, ""), fromdate=at("16 00:00"))

    run(create_ppm_job)

    (root,) = acme.roots(plan)
    keys = set(TaskEffect.objects.filter(tenant_id=acme.id, status="done").values_list("key", flat=True))
    assert keys == {f"jobneed:{plan.pk}:2025-03-17T04:20:00Z", f"reminder:{root.pk}:DAY:1"}


def test_one_named_plan_is_planned_alone(acme, site):
    named, other = acme.ppm(site), acme.ppm(site)

    result = run(create_ppm_job, jobid=named.pk)

    assert (result["jobs_seen"], result["jobneeds_created"]) == (1, 3)
    assert acme.roots(other) == []


def test_a_named_plan_that_is_disabled_is_reported(acme, site):
    plan = acme.ppm(site, enable=False)

    result = run(create_ppm_job, jobid=plan.pk)

    assert (result["status"], result["skipped"]) == ("skipped", [{"job_id": plan.pk, "reason": "disabled"}])


@pytest.mark.parametrize("jobid", [0, -1, True, "7", 1.5, [7], 999_999, 2**70])
def test_an_id_that_is_none_or_unknown_is_bad_input(acme, site, jobid):
    acme.ppm(site)

    with pytest.raises(BadInput, match=str(jobid).strip("[]") if jobid != "7" else "'7'"):
        run(create_ppm_job, jobid=jobid)

    assert not Jobneed.objects.filter(client_id=acme.id).exists()


def test_a_plan_of_another_kind_is_bad_input(acme, site):
    task = acme.plan(site)

    with pytest.raises(BadInput, match=f"plan {task.pk} is no PPM plan"):
        run(create_ppm_job, jobid=task.pk)

    assert acme.roots() == []


def test_another_clients_plan_is_unknown(acme, globex, site):
    theirs = globex.ppm(globex.site("1"))

    with tenant(acme.id), pytest.raises(BadInput, match=f"no plan {theirs.pk}"):
        run(create_ppm_job, jobid=theirs.pk)


def test_a_run_whose_time_is_up_leaves_the_rest_to_another_job(acme, site):
    plan = acme.ppm(site)

    assert run(create_ppm_job, jobid=plan.pk, used_up=0.9)["status"] == "partial"
    assert_enqueued("create_ppm_job", jobid=plan.pk)


def test_the_two_planners_do_not_touch_each_others_plans(acme, site):
    maintenance, task = acme.ppm(site), acme.plan(site)

    run(create_ppm_job)
    run(create_job)

    assert (len(acme.roots(maintenance)), len(acme.roots(task))) == (3, 2)
    assert JobneedDetails.objects.filter(jobneed__client_id=acme.id).count() == 2 * 5


def test_the_result_has_exactly_the_keys_of_the_catalogue(acme):
    assert run(create_ppm_job).keys() == KEYS
