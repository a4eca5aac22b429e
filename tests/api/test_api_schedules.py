"""Schedules, workflows, queues, tenants and the audit log over HTTP."""

from __future__ import annotations

import pytest

from tests.api.speaking import ACME, OTHER
from youtility_tasks import Workflow, controls, schedules, tenant
from youtility_tasks.models import Job, ScheduledTask, TaskAuditLog, Tenant
from youtility_tasks.testing import run_jobs
from youtility_tasks.workflows import templates

pytestmark = pytest.mark.django_db


def test_a_schedule_is_made_changed_paused_run_previewed_and_removed(api, add_task):
    admin = api("admin")

    made = admin.post(
        "schedules/", name="nightly", task="add", cron="0 2 * * *", zone="Asia/Kolkata", args={"number": 1}
    )
    path = f"schedules/{made['schedule']['id']}/"
    changed = admin.send("patch", path, {"cron": "30 2 * * *", "priority": 2, "reason": "later"})
    coming = admin.get(f"{path}next/", count=3)
    paused = admin.post(f"{path}pause/", minutes=5, reason="inventory")
    resumed = admin.post(f"{path}resume/")
    ran = admin.post(f"{path}run/")
    past = admin.get(f"{path}executions/")
    removed = admin.send("delete", path, {"reason": "not needed"})

    assert made.status == 201 and made["schedule"]["version"] == 1 and made["schedule"]["next_at"]
    assert (changed["schedule"]["cron"], changed["schedule"]["priority"], changed["schedule"]["version"]) == (
        "30 2 * * *",
        2,
        2,
    )
    assert len(coming["next"]) == 3 and coming["next"][0]["wall"].endswith("T02:30:00+05:30")
    assert coming["next"][0]["utc"].endswith("T21:00:00+00:00")
    assert paused["schedule"]["is_paused"] and not resumed["schedule"]["is_paused"]
    assert Job.objects.get(pk=ran["job"]["id"]).args == {"number": 1}
    assert [(each["by_hand"], each["job"]) for each in past["occurrences"]] == [(True, ran["job"]["id"])]
    assert removed["schedule"]["is_removed"] and admin.get(path).status == 404
    assert list(TaskAuditLog.objects.filter(tenant_id=ACME, act__contains="schedule").order_by("pk").values_list("act", flat=True)) == [
        "create schedule", "change schedule", "pause schedule", "resume schedule", "run schedule", "remove schedule",
    ]  # fmt: skip


def test_what_is_not_named_stays_and_null_is_what_is_usual(api, add_task):
    admin = api("admin")
    made = admin.post("schedules/", name="n", task="add", every_s=60, priority=3, quiet=["22:00", "06:00"], jitter_s=5)
    path = f"schedules/{made['schedule']['id']}/"

    changed = admin.send("patch", path, {"priority": None, "quiet": None})

    schedule = changed["schedule"]
    assert (schedule["priority"], schedule["quiet_from"], schedule["every_s"], schedule["jitter_s"]) == (
        None,
        None,
        60,
        5,
    )
    assert admin.send("patch", path, {"reason": "nothing"}).status == 422


def test_a_preview_makes_nothing(api, add_task):
    coming = api("viewer").post("schedules/preview/", task="add", cron="0 2 29 2 *", count=2)

    assert [each["utc"][:10] for each in coming["next"]] == ["2028-02-29", "2032-02-29"]
    assert not ScheduledTask.objects.exists()


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"cron": "61 * * * *"}, 422, "cron"),
        ({"at": "2001-01-01T00:00:00Z"}, 422, "never fires"),
        ({"cron": "* * * * *", "zone": "Asia/Kolkatta"}, 422, "Did you mean 'Asia/Kolkata'"),
        ({"cron": "* * * * *", "every_s": 5}, 422, "Both cron and every_s"),
        ({"cron": "* * * * *", "args": {"no": 1}}, 422, "no"),
        ({"cron": "* * * * *", "missed": "some"}, 422, "body.missed"),
        ({}, 422, "When?"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(api, add_task, said, status, words):
    answer = api("admin").send("post", "schedules/", {"name": "n", "task": "add", **said})

    assert answer.status == status and words in answer["detail"], answer.json
    assert not ScheduledTask.objects.exists()


def test_a_name_is_taken_once_a_tenant(api, add_task, other_tenant):
    admin = api("admin")
    with tenant(OTHER):
        schedules.create("n", "add", cron="0 2 * * *")
    assert admin.post("schedules/", name="n", task="add", cron="0 2 * * *").status == 201

    again = admin.post("schedules/", name="n", task="add", cron="0 2 * * *")

    assert (again.status, again["type"].rpartition(":")[2]) == (409, "schedule-exists")
    assert [each["tenant"] for each in admin.get("schedules/", name="n")["schedules"]] == [ACME]


def test_an_operator_of_all_sees_schedules_without_their_arguments(api, add_task, acme):
    with tenant(acme):
        row = schedules.create("n", "add", cron="0 2 * * *", args={"number": 4711})

    ops = api("ops")

    assert ops.get("schedules/")["schedules"][0]["args"] is None
    assert ops.get(f"schedules/{row.pk}/")["schedule"]["args"] is None
    assert ops.send("patch", f"schedules/{row.pk}/", {"cron": "0 3 * * *"}).status == 403


def sweep() -> None:
    """Serve every tenant."""


def test_the_sweeps_are_an_operators(api, declare, add_task, acme):
    declare(sweep, name="sweep", tenant="all", queue_name="maintenance")
    ops, admin = api("ops"), api("admin")

    made = ops.post("schedules/?tenant=0", name="hourly", task="sweep", cron="0 * * * *")
    path = f"schedules/{made['schedule']['id']}/"
    changed = ops.send("patch", f"{path}?tenant=0", {"cron": "30 * * * *"})
    ran = ops.post(f"{path}run/?tenant=0")
    submitted = ops.post("jobs/?tenant=0", task="sweep")

    assert (made["schedule"]["tenant"], changed["schedule"]["cron"]) == (0, "30 * * * *")
    assert {ran["job"]["id"], submitted["job"]["id"]} == set(
        Job.objects.filter(tenant_id=0).values_list("pk", flat=True)
    )
    assert [each["name"] for each in ops.get("schedules/", tenant=0)["schedules"]] == ["hourly"]
    assert ops.post("jobs/?tenant=0", task="add").status == 422, "what belongs to one tenant is no sweep"
    for answer in (
        admin.get("schedules/", tenant=0),
        admin.send("patch", f"{path}?tenant=0", {"cron": "0 0 * * *"}),
        admin.get(path),
    ):
        assert answer.status in (403, 404)
    assert ops.get("jobs/", tenant=0).status == 422


def test_holidays_are_kept_and_taken_back(api, acme):
    admin = api("admin")

    admin.post("holidays/", day="2027-01-26", name="Republic Day")
    admin.post("holidays/", day="2027-01-26", name="Foundation Day", site=5)
    left = admin.send("delete", "holidays/2027-01-26/?site=5")

    assert left["holidays"] == [{"day": "2027-01-26", "name": "Republic Day", "site": None}]
    assert admin.send("delete", "holidays/2027-01-27/").status == 422


def test_a_workflow_is_started_from_a_template_signalled_and_retried(api, add_task, fail_task, acme):
    flow = Workflow("with a signal")
    first = flow.step(fail_task)
    go = flow.signal("go", after=first)
    flow.step(add_task, after=go)
    with tenant(acme):
        templates.save(flow)
    operator = api("operator")

    started = operator.post("workflows/", template="with a signal", key="order 7")
    again = operator.post("workflows/", template="with a signal", key="order 7")
    signalled = operator.post(f"workflows/{started['id']}/signal/", name="go", payload={"by": "hand"})
    twice = operator.post(f"workflows/{started['id']}/signal/", name="go")
    run_jobs("email")
    shown = operator.get(f"workflows/{started['id']}/")
    retried = operator.post(f"workflows/{started['id']}/retry/", mode="failed_downstream")
    cancelled = operator.post(f"workflows/{started['id']}/cancel/", reason="enough")

    assert started.status == 201 and again["id"] == started["id"] and signalled.status == 200
    assert (twice.status, twice["type"].rpartition(":")[2]) == (409, "signal-refused")
    steps = {each["name"]: each for each in shown["steps"]}
    assert shown["workflow"]["status"] == "failed" and steps["go"]["after"] == {"fail": "success"}
    assert retried["mode"] == "failed_downstream" and retried["steps"] >= 1 and cancelled["cancelled"] >= 1
    listed = operator.get("workflows/", status="cancelled")
    assert [each["id"] for each in listed["workflows"]] == [started["id"]]
    assert operator.post("workflows/", template="without").status == 404


def test_a_queue_is_paused_for_the_tenant_alone_and_limits_are_set_and_lifted(api, acme):
    admin = api("admin")

    paused = admin.post("queues/email/pause/", minutes=5, reason="the relay is down")
    limited = admin.post("limits/", queue="reports", running=2, rate_per_s=0.5)
    kept = admin.post("limits/", queue="reports", running=None)
    resumed = admin.post("queues/email/resume/")
    again = admin.post("queues/email/resume/")

    assert paused["control"]["target"] == f"tenant {ACME} in queue email" and paused["control"]["is_paused"]
    assert (limited["control"]["max_running"], kept["control"]["max_running"], kept["control"]["rate_per_s"]) == (
        2,
        None,
        0.5,
    )
    assert not resumed["control"]["is_paused"] and again.status == 409
    assert admin.post("queues/emial/pause/").status == 404
    assert {each["tenant"] for each in admin.get("limits/")["controls"]} == {ACME}


def test_an_operator_pauses_a_queue_for_everybody(api, acme):
    api("ops").post("queues/email/pause/")

    (control,) = controls.listing()
    assert (control.queue_name, control.tenant_id, control.is_paused) == ("email", None, True)


def test_numbers_of_queues_are_the_tenants_own(api, enqueue, add_task, acme, other_tenant):
    enqueue(acme, add_task)
    enqueue(other_tenant, add_task)
    enqueue(other_tenant, add_task)

    def todo(who: str) -> int:
        return sum(each["todo"] for each in api(who).get("queues/")["queues"])

    assert (todo("viewer"), todo("other_admin"), todo("ops")) == (1, 2, 3)


def test_tenants_and_members_are_kept_by_who_may(api, person, acme):
    ops, admin = api("ops"), api("admin")
    person("viewer")

    assert ops.post("tenants/", id=9, name="Nine", weight=2)["tenant"]["weight"] == 2
    assert ops.post("tenants/9/weigh/", weight=3)["tenant"]["weight"] == 3
    assert ops.post("tenants/9/deactivate/", reason="left")["cancelled"] == 0
    assert [each["id"] for each in ops.get("tenants/", limit=2)["tenants"]] == [9, 8]
    assert (
        admin.send("patch", "tenants/", {"name": "Acme & Sons", "zone": "Asia/Kolkata"})["tenant"]["zone"]
        == "Asia/Kolkata"
    )
    assert [each["id"] for each in admin.get("tenants/")["tenants"]] == [ACME]
    granted = admin.post("members/", user="viewer", role="operator", reason="promoted")
    assert {"user": "viewer", "role": "operator"} in granted["members"]
    assert {"user": "viewer", "role": "operator"} not in admin.post("members/revoke/", user="viewer")["members"]
    assert Tenant.objects.get(pk=9).is_active is False


def test_the_audit_log_is_the_tenants_own_by_pages(api, acme, other_tenant):
    viewer = api("viewer")
    for tenant_id in (acme, other_tenant):
        with tenant(tenant_id):
            controls.pause(queue="email")
            controls.resume(queue="email")

    first = viewer.get("audit/", limit=1)
    second = viewer.get("audit/", limit=1, cursor=first["next"], act="pause")

    assert (first["acts"][0]["act"], second["acts"][0]["act"]) == ("resume", "pause")
    assert {each["tenant"] for page in (first, second) for each in page["acts"]} == {ACME}


def test_a_person_that_is_refused_is_in_the_audit_log(api, enqueue, add_task, acme):
    job_id = enqueue(acme, add_task)

    api("viewer").post(f"jobs/{job_id}/cancel/")

    entered = TaskAuditLog.objects.get(act="refused")
    assert (
        entered.actor == "viewer (token test)" and entered.tenant_id == ACME and Job.objects.filter(pk=job_id).exists()
    )


def test_a_tenant_is_told_of_a_pause_of_everybodys_jobs_and_not_of_their_limits(api, acme):
    controls.pause(queue="email", reason="the relay moves")
    controls.limit(queue="reports", running=3)

    (told,) = api("viewer").get("limits/")["controls"]

    assert (told["queue"], told["tenant"], told["is_paused"], told["reason"]) == (
        "email",
        None,
        True,
        "the relay moves",
    )
    assert api("admin").post("queues/email/resume/").status == 409
