"""What an edit of a plan takes back, and what it must leave (R-SCH 10)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from task_catalog import entities
from task_catalog.facility.models import Job, Jobneed, JobneedDetails, Reminder
from task_catalog.high_priority.scheduling import create_job, create_ppm_job
from task_catalog.models import PlanFingerprint
from tests.catalog.planning.world import MORNING, NONE, at, details, run, stops_of
from youtility_tasks.models import TaskEffect


def edit(plan, **columns):
    Job.objects.filter(pk=plan.pk).update(**columns)


def planned(company, plan):
    return [root.plandatetime for root in company.roots(plan)]


def keys_of(plan):
    return set(TaskEffect.objects.filter(key__startswith=f"jobneed:{plan.pk}:").values_list("key", flat=True))


def test_another_cron_replaces_what_nobody_has_begun(acme, site):
    plan = acme.plan(site)
    run(create_job)
    edit(plan, cron="0 8 * * *")

    result = run(create_job)

    # 00:20 of today has begun by the clock (P <= now) and stays.
    assert planned(acme, plan) == [at("03 00:20"), at("03 02:20"), at("04 02:20")]
    assert (result["deleted_for_edit"], result["jobneeds_created"], result["jobneeds_existing"]) == (1, 2, 0)
    assert JobneedDetails.objects.filter(jobneed__job=plan).count() == 6
    plan.refresh_from_db()
    assert plan.lastgeneratedon == at("04 02:20")


def test_the_keys_of_what_was_deleted_go_with_it(acme, site):
    plan = acme.tour(site, 3)
    run(create_job)
    edit(plan, cron="30 */12 * * *")

    run(create_job)

    roots = acme.roots(plan)
    assert keys_of(plan) == {f"jobneed:{plan.pk}:{root.plandatetime:%Y-%m-%dT%H:%M:%SZ}" for root in roots}
    stop_keys = TaskEffect.objects.filter(key__startswith="jobneed-child:").values_list("key", flat=True)
    assert set(stop_keys) == {f"jobneed-child:{root.pk}:0" for root in roots}


def test_back_and_forth_makes_the_first_ones_again(acme, site):
    plan = acme.plan(site)
    run(create_job)
    edit(plan, cron="0 8 * * *")
    run(create_job)
    edit(plan, cron="0 6 * * *")

    result = run(create_job)

    assert planned(acme, plan) == [at("03 00:20"), at("04 00:20")]
    assert (result["deleted_for_edit"], result["jobneeds_created"], result["warnings"]) == (2, 1, [])


def test_a_second_run_after_an_edit_changes_nothing(acme, site):
    plan = acme.plan(site)
    run(create_job)
    edit(plan, planduration=45)
    run(create_job)
    rows = set(Jobneed.objects.values_list("pk", "uuid"))

    again = run(create_job)

    assert (again["deleted_for_edit"], again["jobneeds_created"]) == (0, 0)
    assert rows == set(Jobneed.objects.values_list("pk", "uuid"))


def test_an_edit_after_which_nothing_is_due_only_deletes(acme, site):
    plan = acme.plan(site)
    run(create_job)
    edit(plan, fromdate=at("20 00:00"))

    result = run(create_job)

    assert (result["deleted_for_edit"], result["jobneeds_created"]) == (1, 0)
    assert planned(acme, plan) == [at("03 00:20")]


@pytest.mark.parametrize(
    "columns",
    [
        {"cron": "0 7 * * *"},
        {"fromdate": at("02 00:00")},
        {"uptodate": at("30 00:00")},
        {"planduration": 31},
        {"gracetime": 11},
        {"expirytime": 21},
        {"ctzoffset": 300},
        {"people_id": "person"},
        {"pgroup_id": "group"},
        {"sgroup_id": "group"},
        {"asset_id": "asset"},
        {"qset_id": "qset"},
        {"ticketcategory_id": "word"},
        {"other_info": {"tour_frequency": 2}},
        {"other_info": {"breaktime": 5}},
        {"other_info": {"is_randomized": True}},
        {"other_info": {"istimebound": True}},
    ],
    ids=str,
)
def test_whatever_decides_what_is_planned_is_an_edit(acme, site, columns):
    plan = acme.plan(site)
    run(create_job)
    makers = {
        "person": lambda: acme.person("other", site),
        "group": lambda: acme.group(acme.person("other", site)),
        "asset": lambda: acme.asset(site),
        "qset": acme.qset,
        "word": lambda: acme.word("AUTOCLOSED", "NOTIFYCATEGORY"),
    }
    edit(
        plan,
        **{name: makers[value]().pk if name.endswith("_id") else value for name, value in columns.items()},
    )

    assert run(create_job)["deleted_for_edit"] == 1


@pytest.mark.parametrize(
    "columns",
    [
        {"jobname": "a better name"},
        {"jobdesc": "a better description"},
        {"priority": "HIGH"},
        {"scantype": "NFC"},
        {"frequency": "WEEKLY"},
        {"mdtz": MORNING},
        {"lastgeneratedon": at("01 00:00")},
        {"pgroup_id": None},
        {"other_info": {"autoclosed_by_server": True, "email_sent": True, "ticket_generated": True}},
    ],
    ids=str,
)
def test_whatever_else_changes_is_none(acme, site, columns):
    plan = acme.plan(site)
    run(create_job)
    edit(plan, **columns)

    result = run(create_job)

    assert (result["deleted_for_edit"], result["jobneeds_created"], result["jobneeds_existing"]) == (0, 0, 2)


@pytest.mark.parametrize(
    "columns", [{"expirytime": 4}, {"seqno": 7}, {"asset_id": NONE}, {"qset_id": None}, "new", "off"]
)
def test_an_edit_of_a_stop_is_an_edit_of_its_tour(acme, site, columns):
    tour = acme.tour(site, 3, 3)
    run(create_job)
    last = Job.objects.filter(parent=tour).order_by("seqno").last()
    if columns == "new":
        acme.stop_plan(tour, 3)
    elif columns == "off":
        edit(last, enable=False)
    else:
        makers = {"asset_id": acme.asset(site).pk, "qset_id": acme.qset().pk}
        edit(last, **{name: makers.get(name, value) for name, value in columns.items()})

    result = run(create_job)

    assert (result["deleted_for_edit"], result["jobneeds_created"]) == (15, 15)
    wanted = {"new": 3, "off": 1}.get(columns if isinstance(columns, str) else "", 2)
    assert {len(stops_of(root)) for root in acme.roots(tour)[1:]} == {wanted}


def begin(row):
    Jobneed.objects.filter(pk=row.pk).update(jobstatus="INPROGRESS")


def start(row):
    Jobneed.objects.filter(pk=row.pk).update(starttime=MORNING)


def answer(row):
    detail = next(each for each in details(row) if each.question_id != NONE)
    JobneedDetails.objects.filter(pk=detail.pk).update(answer="5")


def count_attachment(row):
    Jobneed.objects.filter(pk=row.pk).update(attachmentcount=1)


def attach(row):
    _attach(row, row.uuid)


def attach_to_a_question(row):
    _attach(row, details(row)[0].uuid)


def _attach(row, owner):
    entities.Attachment.objects.create(
        owner=str(owner),
        ownername_id=NONE,
        filename="photo.jpg",
        filepath="transaction/",
        bu_id=row.bu_id,
        cuser_id=NONE,
        muser_id=NONE,
        cdtz=MORNING,
        mdtz=MORNING,
        ctzoffset=0,
    )


TOUCHES = [begin, start, answer, count_attachment, attach, attach_to_a_question]


@pytest.mark.parametrize("touch", TOUCHES)
def test_an_occurrence_that_somebody_has_touched_stays_as_it_is(acme, site, touch):
    plan = acme.plan(site, cron="0 */12 * * *")
    run(create_job)
    touched = acme.roots(plan)[2]
    touch(touched)
    asked = [(each.pk, each.answer) for each in details(touched)]
    edit(plan, planduration=60)

    result = run(create_job)

    assert (result["deleted_for_edit"], result["jobneeds_created"], result["jobneeds_existing"]) == (3, 3, 1)
    kept = acme.roots(plan)[2]
    assert (kept.pk, kept.uuid, kept.expirydatetime) == (touched.pk, touched.uuid, touched.expirydatetime)
    assert [(each.pk, each.answer) for each in details(kept)] == asked
    assert {root.expirydatetime - root.plandatetime for root in acme.roots(plan) if root.pk != kept.pk} == {
        timedelta(minutes=90)
    }


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_tour_stays_when_one_of_its_stops_was_touched(acme, site, touch):
    tour = acme.tour(site, 3, 3)
    run(create_job)
    touched = acme.roots(tour)[5]
    touch(stops_of(touched)[1])
    stops = [stop.pk for stop in stops_of(touched)]
    edit(tour, planduration=6)

    result = run(create_job)

    assert result["deleted_for_edit"] == 14
    assert acme.roots(tour)[5].pk == touched.pk
    assert [stop.pk for stop in stops_of(touched)] == stops


def test_reminders_of_what_is_deleted_go_and_come_again(acme, site):
    plan = acme.ppm(site, ("DAY", 1, ""), ("HOUR", 2, ""))
    run(create_ppm_job)
    edit(plan, cron="0 11 * * 1")

    result = run(create_ppm_job)

    assert (result["deleted_for_edit"], result["jobneeds_created"]) == (3, 3)
    assert (result["reminders_created"], result["reminders_skipped_past"]) == (5, 1)
    roots = acme.roots(plan)
    assert set(Reminder.objects.values_list("jobneed_id", flat=True)) == {root.pk for root in roots}
    keys = TaskEffect.objects.filter(key__startswith="reminder:")
    assert {int(key.split(":")[1]) for key in keys.values_list("key", flat=True)} == {root.pk for root in roots}


def test_plans_that_nobody_has_planned_before_lose_nothing(acme, site):
    plan = acme.plan(site)
    old = acme.work(site, job=plan, plandatetime=at("04 05:00"), expirydatetime=at("04 06:00"))

    result = run(create_job)

    assert result["deleted_for_edit"] == 0
    assert old in acme.roots(plan)
    assert PlanFingerprint.objects.filter(job_id=plan.pk).exists()


def test_an_edit_at_one_client_takes_nothing_from_another(acme, globex, site):
    ours, theirs = acme.plan(site, jobname="same"), globex.plan(globex.site("1"), jobname="same")
    run(create_job)
    before = [root.pk for root in globex.roots(theirs)]
    edit(ours, cron="0 9 * * *")

    run(create_job)

    assert [root.pk for root in globex.roots(theirs)] == before
    assert len(keys_of(theirs)) == len(before)


def test_an_edit_that_makes_the_plan_illegible_deletes_nothing_until_it_is_corrected(acme, site):
    plan = acme.plan(site)
    run(create_job)
    edit(plan, cron="oops")

    assert run(create_job)["deleted_for_edit"] == 0
    edit(plan, cron="0 8 * * *")
    assert run(create_job)["deleted_for_edit"] == 1
