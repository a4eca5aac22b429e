"""Jobs over HTTP: listed by pages, looked at, submitted, acted on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.speaking import ACME, OTHER
from youtility_tasks.models import Job, TaskAuditLog
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


def test_a_job_is_submitted_listed_run_and_looked_at(api, add_task):
    operator = api("operator")

    made = operator.post("jobs/", task="add", args={"number": 41}, reason="by hand")
    waiting = operator.get("jobs/", status="todo")
    shown = operator.get(f"jobs/{made['job']['id']}/")

    assert made.status == 201 and made["job"]["is_new"] and made["job"]["tenant"] == ACME
    assert [line["id"] for line in waiting["jobs"]] == [made["job"]["id"]] and waiting["next"] is None
    assert shown["job"]["args"] == {"number": 41} and shown["why"]["because"] == "no_worker"
    assert TaskAuditLog.objects.get(act="run").actor == "operator (token test)"

    assert run_jobs("maintenance") == 1
    ended = operator.get(f"jobs/{made['job']['id']}/")

    assert ended["job"]["status"] == "succeeded" and not ended["job"]["is_in_queue"] and ended["why"] is None
    assert ended["attempts"][0]["result"] == {"sum": 42}


def test_pages_go_on_where_the_last_one_ended_whatever_comes_in_between(api, enqueue, add_task, acme, other_tenant):
    viewer = api("viewer")
    ids = [enqueue(acme, add_task, number=n) for n in range(5)]
    enqueue(other_tenant, add_task)

    first = viewer.get("jobs/", limit=2)
    enqueue(acme, add_task)
    second = viewer.get("jobs/", limit=2, cursor=first["next"])
    run_jobs("maintenance")
    third = viewer.get("jobs/", limit=2, cursor=second["next"])

    seen = [line["id"] for page in (first, second, third) for line in page["jobs"]]
    assert seen == ids[::-1] and third["next"] is None
    assert third["jobs"][0]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": ["failed"]}, {"dead"}),
        ({"status": ["todo", "succeeded"]}, {"waits", "ended"}),
        ({"queue": "email"}, {"dead"}),
        ({"task": "add"}, {"waits", "ended"}),
        ({"search": "ADD"}, {"waits", "ended"}),
        ({"search": "key-1"}, {"waits"}),
        ({"search": "nothing"}, set()),
        ({"since": "2999-01-01T00:00:00Z"}, set()),
        ({"until": "2000-01-01T00:00:00Z"}, set()),
        ({"until": "2999-01-01T00:00:00Z"}, {"waits", "ended", "dead"}),
    ],
)
def test_filters_find_what_they_say(api, enqueue, add_task, fail_task, acme, query, found):
    ids = {"ended": enqueue(acme, add_task), "dead": enqueue(acme, fail_task)}
    run_jobs("maintenance")
    run_jobs("email")
    ids["waits"] = enqueue(acme, add_task.using(unique="key-1"))

    listed = {line["id"] for line in api("viewer").get("jobs/", **query)["jobs"]}

    assert listed == {ids[name] for name in found}
    by_id = api("viewer").get("jobs/", search=str(ids["dead"]))
    assert [line["id"] for line in by_id["jobs"]] == [ids["dead"]]


def test_a_key_is_there_once_while_its_job_waits(api, add_task):
    operator = api("operator")

    first = operator.send("post", "jobs/", {"task": "add"}, **{"Idempotency-Key": "order 7"})
    second = operator.send("post", "jobs/", {"task": "add"}, **{"Idempotency-Key": "order 7"})
    both = operator.send("post", "jobs/", {"task": "add", "unique": "a"}, **{"Idempotency-Key": "b"})

    assert (first["job"]["is_new"], second["job"]["is_new"]) == (True, False)
    assert first["job"]["id"] == second["job"]["id"] and Job.objects.count() == 1
    assert both.status == 422 and "different keys" in both["detail"]


def test_cancel_retry_and_discard_do_what_the_commands_do(api, enqueue, add_task, fail_task, acme):
    operator = api("operator")
    waits, dead = enqueue(acme, add_task), enqueue(acme, fail_task)
    run_jobs("email")

    cancelled = operator.post(f"jobs/{waits}/cancel/", reason="not wanted")
    again = operator.post(f"jobs/{waits}/cancel/")
    retried = operator.post(f"jobs/{dead}/retry/")
    run_jobs("email")
    discarded = operator.post(f"jobs/{dead}/discard/", reason="hopeless")

    assert cancelled["job"]["becomes"] == "cancelled" and again.status == 409 and again["type"].endswith(":refused")
    assert retried["job"]["becomes"] == "todo" and discarded["job"]["becomes"] == "cancelled"
    assert TaskAuditLog.objects.get(act="discard").reason == "hopeless"


def test_several_jobs_at_once_say_which_were_left_alone(api, enqueue, add_task, acme, other_tenant):
    mine, theirs = enqueue(acme, add_task), enqueue(other_tenant, add_task)

    done = api("operator").post("jobs/cancel/", ids=[mine, theirs])

    assert [each["id"] for each in done["done"]] == [mine] and not done["ok"]
    assert [(each["id"], each["error"]) for each in done["refused"]] == [(theirs, "JobNotFound")]
    assert list(Job.objects.values_list("pk", flat=True)) == [theirs]


def test_another_tenants_job_is_not_there(api, enqueue, add_task, other_tenant):
    theirs = enqueue(other_tenant, add_task)
    operator = api("operator")

    for method, path in (("get", ""), ("get", "why/"), ("post", "cancel/"), ("post", "retry/"), ("post", "discard/")):
        answer = operator.send(method, f"jobs/{theirs}/{path}")
        assert (answer.status, answer["type"].rpartition(":")[2]) == (404, "job-not-found"), path
    assert api("operator").get("jobs/", tenant=OTHER).status == 403


def test_an_operator_of_all_sees_metadata_alone(api, enqueue, fail_task, acme, other_tenant):
    jobs = [enqueue(acme, fail_task, number=1), enqueue(other_tenant, fail_task, number=2)]
    run_jobs("email")
    ops = api("ops")

    listed = ops.get("jobs/")
    of_one = ops.get("jobs/", tenant=OTHER)
    shown = ops.get(f"jobs/{jobs[0]}/")

    assert [line["id"] for line in listed["jobs"]] == jobs[::-1]
    assert [line["id"] for line in of_one["jobs"]] == [jobs[1]]
    assert {line["error_message"] for line in listed["jobs"]} == {""}
    assert shown["job"]["args"] is None
    (attempt,) = shown["attempts"]
    assert (
        attempt["error_class"]
        and [attempt[name] for name in ("error_message", "traceback", "output", "result")] == [None] * 4
    )
    assert ops.post(f"jobs/{jobs[1]}/discard/").status == 200
    assert ops.post("jobs/", task="fail").status == 403


def test_when_it_runs_how_urgently_and_until_when_may_be_said(api, add_task):
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)

    made = api("operator").post(
        "jobs/", task="add", run_after=at.isoformat(), expires_at=(at + timedelta(hours=1)).isoformat(), priority=1, queue="reports",
    )  # fmt: skip

    assert made.status == 201, made.json
    row: Any = Job.objects.get(pk=made["job"]["id"])
    assert (row.scheduled_at, row.expires_at, row.priority, row.queue_name) == (
        at,
        at + timedelta(hours=1),
        10,
        "reports",
    )


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"task": "ad"}, 422, "Did you mean"),
        ({"task": "add", "args": {"nmber": 1}}, 422, "nmber"),
        ({"task": "add", "args": [1]}, 422, "body.args"),
        ({"task": "add", "priority": 11}, 422, "body.priority"),
        ({"task": "add", "priority": "1"}, 422, "body.priority"),
        ({"task": "add", "queue": "emial"}, 422, "Did you mean 'email'"),
        ({"task": "add", "run_after": "2026-11-26T10:00:00"}, 422, "body.run_after"),
        ({"task": "add", "colour": "red"}, 422, "body.colour"),
        ({}, 422, "body.task"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(api, add_task, said, status, words):
    answer = api("operator").send("post", "jobs/", said)

    assert answer.status == status and words in answer["detail"], answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert Job.objects.count() == 0
