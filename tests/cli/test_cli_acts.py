"""The verbs that change something: submit, cancel, retry, discard, tenants, cleanup."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from youtility_tasks import tenant
from youtility_tasks.models import Job, TaskAuditLog, TaskExecutionHistory, TaskPerformanceMetrics, TaskWorker, Tenant
from youtility_tasks.testing import run_jobs
from youtility_tasks.upkeep import prune

pytestmark = pytest.mark.django_db


@pytest.fixture
def dead(tasks, acme, other_tenant, enqueue):
    """Two dead letters of one tenant, one of another."""
    ids = [enqueue(acme, tasks.break_window), enqueue(acme, tasks.lose_key), enqueue(other_tenant, tasks.break_window)]
    run_jobs()
    return ids


def test_submit_enqueues_for_the_tenant_with_everything_that_was_said(manage, tasks, acme):
    said = manage(
        "submit", "polish_floor", "--tenant", acme, "--json-args", '{"floor": 4}', "--at", "2999-01-01T05:30:00+05:30",
        "--priority", 1, "--queue", "reports", "--unique", "once", "--json",
    )  # fmt: skip

    assert said.code == 0
    job = Job.objects.get(pk=said.json["job"]["id"])
    assert (job.task_name, job.tenant_id, job.queue_name, job.priority, job.args, job.unique_key) == (
        "polish_floor",
        acme,
        "reports",
        10,
        {"floor": 4},
        "once",
    )
    assert job.scheduled_at.isoformat() == "2999-01-01T00:00:00+00:00" == said.json["job"]["scheduled_at"]


def test_submit_with_a_taken_unique_key_answers_with_the_job_that_holds_it(manage, tasks, acme):
    words = ("submit", "polish_floor", "--tenant", acme, "--unique", "once", "--json")

    holder = manage(*words).json["job"]
    again = manage(*words, "--at", "2999-01-01T00:00:00Z", "--queue", "reports").json["job"]

    assert holder["is_new"]
    assert again == {**holder, "is_new": False}, "its own queue and time, not those that were asked for"


def test_submit_tells_a_person_that_nothing_was_enqueued(manage, tasks, acme):
    words = ("submit", "polish_floor", "--tenant", acme, "--unique", "once")
    first = manage(*words, "--at", "2999-01-01T00:00:00Z")

    second = manage(*words)

    assert first.out.startswith("Job ")
    assert second.out == f"Nothing was enqueued, its key is taken. {first.out}"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["polish_flor", "--tenant", 7], "No task is called 'polish_flor'. Did you mean 'polish_floor'?"),
        (["polish_floor"], "Task 'polish_floor' belongs to one tenant: add --tenant N."),
        (["polish_floor", "--tenant", 99], "for tenant 99, which does not exist or is not active"),
        (["polish_floor", "--tenant", 7, "--json-args", '{"flor": 1}'], "got an unexpected keyword argument 'flor'"),
        (
            ["polish_floor", "--tenant", 7, "--json-args", '{"floor": NaN}'],
            "args.floor is nan, which JSON cannot carry",
        ),
        (["polish_floor", "--tenant", 7, "--queue", "emial"], "names queue 'emial'; known: email,"),
        (["build_tower"], "Task 'build_tower' is registered but not built yet, so it cannot be enqueued."),
    ],
)
def test_a_submit_that_is_refused_says_why_and_writes_nothing(words, text, manage, tasks, acme):
    said = manage("submit", *words)

    assert (said.code, said.out) == (1, "")
    assert text in said.err
    assert not Job.objects.exists()


def test_a_refusal_under_json_is_one_document_too(manage, tasks, acme):
    said = manage("submit", "polish_floor", "--json")

    assert said.code == 1
    assert said.json == {"ok": False, "error": {"type": "Refused", "message": said.err.strip()}}


@pytest.mark.parametrize(
    "words",
    [
        ["submit"],
        ["submit", "x", "--json-args", "{"],
        ["submit", "x", "--json-args", "[1]"],
        ["submit", "x", "--at", "2999-01-01T00:00:00"],
        ["submit", "x", "--at", "tomorrow"],
        ["submit", "x", "--priority", "11"],
        ["submit", "x", "--tenant", "0"],
        ["cancel"],
        ["cancel", "0"],
        ["cancel", "one"],
        ["cancel", "1", "--all"],
        ["retry", "--limit", "5"],
        ["retry", "1", "--because", "why"],
        ["show"],
        ["jobs", "--limit", "0"],
        ["jobs", "--status", "waiting"],
        ["jobs", "--since", "yesterday"],
        ["jobs", "--since", "2026-11-24T06:00:00"],
        ["cleanup", "--older-than", "-1"],
        ["tenants", "add"],
        ["tenants", "add", "7"],
        ["tenants", "deactivate"],
        ["tenants", "list", "7"],
        ["tenants", "weigh", "7"],
        ["tenants", "rename", "7", "Neu", "--weight", "2"],
        ["tenants", "grant", "7", "ann"],
        ["tenants", "grant", "7", "ann", "--role", "emperor"],
        ["tenants", "revoke", "7"],
        ["tenants", "members"],
        ["doctor", "everything"],
        ["submit", "x", "--unique", " "],
        ["submit", "x", "--json-args", ""],
        ["jobs", "--since", "999999d"],
        ["jobs", "--since", "2026-11-24"],
        ["jobs", "--since", ""],
        ["cancel", "1", "--queue", ""],
        ["tenants", "add", "7", ""],
        ["tenants", "add", "7", "x" * 201],
        ["frobnicate"],
        [],
    ],
)
def test_bad_usage_ends_with_2_and_says_so_on_stderr_only(words, manage, db):
    said = manage(*words)

    assert (said.code, said.out) == (2, "")
    assert said.err.strip()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["jobs", "--since", "2026-11-24"], "write 2026-11-24T00:00Z for UTC, or 2026-11-24T00:00+05:30"),
        (["jobs", "--since", "2026-11-24T06:00"], "write 2026-11-24T06:00Z for UTC"),
        (["jobs", "--since", "999999d"], "'999999d' reaches back too far: at most 36500d"),
        (["submit", "x", "--json-args", ""], "'' is not JSON"),
        (["tenants", "add", "7", "x" * 201], "up to 200 characters; this has 201"),
    ],
)
def test_bad_usage_says_what_would_be_right(words, text, manage, db):
    assert text in " ".join(manage(*words).err.split())


def test_cancel_takes_a_waiting_job_off_and_asks_a_running_one_to_end(manage, tasks, acme, enqueue):
    waiting, running = enqueue(acme, tasks.polish_floor), enqueue(acme, tasks.polish_floor)
    Job.objects.filter(pk=running).update(status="doing")

    said = manage("cancel", waiting, running, "--reason", "the client left", "--json")

    assert said.code == 0
    assert {each["id"]: each["becomes"] for each in said.json["done"]} == {waiting: "cancelled", running: "aborting"}
    assert TaskExecutionHistory.objects.get(job_id=waiting).error_message == "the client left"


def test_cancel_of_all_touches_waiting_jobs_of_the_tenant_only(manage, tasks, acme, other_tenant, enqueue):
    mine, running, theirs = (enqueue(each, tasks.polish_floor) for each in (acme, acme, other_tenant))
    Job.objects.filter(pk=running).update(status="doing")

    said = manage("cancel", "--all", "--tenant", acme, "--json")

    assert [each["id"] for each in said.json["done"]] == [mine]
    assert set(Job.objects.values_list("pk", flat=True)) == {running, theirs}


def test_retry_gives_the_dead_letters_of_a_task_new_attempts(manage, dead):
    said = manage("retry", "--task", "break_window", "--reason", "the glazier came", "--json")

    assert said.code == 0
    assert {*TaskAuditLog.objects.filter(act="retry").values_list("reason", flat=True)} == {"the glazier came"}
    assert {each["id"]: each["becomes"] for each in said.json["done"]} == {dead[0]: "todo", dead[2]: "todo"}
    assert Job.objects.get(pk=dead[1]).status == "failed"


def test_an_act_within_a_tenant_does_not_see_another_tenants_job(manage, dead):
    said = manage("retry", dead[2], "--tenant", 7)

    assert said.code == 1
    assert f"No job has the id {dead[2]} here" in said.err
    assert Job.objects.get(pk=dead[2]).status == "failed"


def test_of_several_ids_those_that_can_be_are_acted_on_and_the_others_explained(manage, dead, tasks, enqueue):
    waiting = enqueue(7, tasks.polish_floor)

    said = manage("retry", dead[0], waiting, "--json")

    assert said.code == 1
    assert [each["id"] for each in said.json["done"]] == [dead[0]]
    assert [(each["id"], each["error"]) for each in said.json["refused"]] == [(waiting, "Refused")]
    assert f"Job {waiting} (polish_floor) cannot be retried: it waits in its queue." in said.err


def test_a_dry_run_changes_nothing(manage, dead):
    said = manage("discard", "--all", "--dry-run", "--json")

    assert said.json["would"] == dead
    assert Job.objects.filter(status="failed").count() == 3


def test_a_dry_run_refuses_what_the_act_would_refuse(manage, dead, tasks, enqueue):
    waiting = enqueue(7, tasks.polish_floor)

    said = manage("discard", dead[0], waiting, 99_999, dead[0], "--dry-run", "--json")

    assert (said.code, said.json["ok"], said.json["would"]) == (1, False, [dead[0]])
    assert [(each["id"], each["error"]) for each in said.json["refused"]] == [
        (waiting, "Refused"),
        (99_999, "JobNotFound"),
    ]
    assert f"Job {waiting} (polish_floor) cannot be discarded: it waits in its queue." in said.err
    assert manage("cancel", waiting, "--dry-run", "--json").json["would"] == [waiting]
    assert (
        manage("retry", dead[0], "--tenant", 8 if Job.objects.get(pk=dead[0]).tenant_id == 7 else 7, "--dry-run").code
        == 1
    )
    assert Job.objects.filter(status="failed").count() == 3


def test_discard_removes_dead_letters_and_keeps_their_history(manage, dead):
    said = manage("discard", dead[0], "--reason", "mended by hand")

    assert said.code == 0
    assert "cancelled" in said.out
    assert not Job.objects.filter(pk=dead[0]).exists()
    assert TaskExecutionHistory.objects.filter(job_id=dead[0]).count() == 2
    assert manage("discard", dead[0]).code == 1


def test_tenants_are_added_listed_and_deactivated(manage, db):
    assert manage("tenants", "add", 7, "ACME [Towers]", "--weight", 3).code == 0
    assert manage("tenants", "add", 8, "Beta").code == 0
    assert "ACME [Towers]" in manage("tenants").out
    gone = manage("tenants", "deactivate", 8, "--json")
    assert (gone.code, gone.json["tenant"]["is_active"]) == (0, False)
    assert (gone.json["cancelled"], gone.json["aborting"]) == (0, 0)

    listed = manage("tenants", "list", "--json").json["tenants"]

    assert [(each["id"], each["is_active"], each["weight"]) for each in listed] == [(7, True, 3), (8, False, 1)]


def test_a_tenant_that_returns_is_active_again_under_its_new_name(manage, other_tenant):
    manage("tenants", "deactivate", other_tenant)

    assert manage("tenants", "add", other_tenant, "Beta 2").code == 0
    assert Tenant.objects.get(pk=other_tenant).name == "Beta 2"
    assert Tenant.objects.get(pk=other_tenant).is_active


def test_a_tenant_is_renamed_and_weighed(manage, acme):
    assert manage("tenants", "rename", 7, "ACME Towers II", "--reason", "merger").code == 0
    changed = manage("tenants", "weigh", 7, "--weight", 4, "--json").json["tenant"]

    assert (changed["name"], changed["weight"]) == ("ACME Towers II", 4)
    assert list(TaskAuditLog.objects.order_by("pk").values_list("act", "reason"))[-2:] == [
        ("rename tenant", "merger"),
        ("weigh tenant", ""),
    ]


def test_roles_for_a_tenant_are_given_listed_and_taken_away(manage, acme):
    User.objects.create_user("ann")
    assert manage("tenants", "grant", 7, "ann", "--role", "operator", "--reason", "new here").code == 0
    assert manage("tenants", "members", 7, "--json").json == {"members": [{"user": "ann", "role": "operator"}]}
    assert "ann" in manage("tenants", "members", 7).out
    assert manage("tenants", "revoke", 7, "ann").code == 0
    assert "Nobody yet" in manage("tenants", "members", 7).out
    assert TaskAuditLog.objects.filter(act="grant role").get().reason == "new here"


def test_submit_is_entered_with_its_reason_and_without_its_arguments(manage, tasks, acme):
    said = manage("submit", "polish_floor", "--tenant", 7, "--reason", "spilt milk", "--json")

    row = TaskAuditLog.objects.get(act="run")
    assert (row.target, row.tenant_id, row.reason) == ("polish_floor", 7, "spilt milk")
    assert row.after == {"job": said.json["job"]["id"], "queue": said.json["job"]["queue"]}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["rename", 99, "Nine"], "No tenant has the id 99."),
        (["grant", 7, "nobody", "--role", "viewer"], "No user is called 'nobody'"),
        (["revoke", 7, "nobody"], "No user is called 'nobody'"),
        (["add", 7, "Another"], "Tenant 7 exists and is active: 'ACME Towers'. Choose another id."),
        (["deactivate", 99], "No tenant has the id 99."),
    ],
)
def test_tenants_refuses_what_cannot_be(words, text, manage, acme):
    said = manage("tenants", *words)

    assert said.code == 1
    assert text in said.err


def test_deactivating_a_tenant_cancels_its_jobs_for_the_reason_given(manage, tasks, acme, other_tenant, enqueue):
    gone = enqueue(acme, tasks.polish_floor)
    stays = enqueue(other_tenant, tasks.polish_floor)

    said = manage("tenants", "deactivate", acme, "--reason", "contract ended").out

    assert "Of its jobs 1 were cancelled, and 0 that run were asked to end." in said
    shown = manage("show", gone, "--json").json
    assert shown["job"]["status"] == "cancelled"
    assert "Tenant 7 was deactivated: contract ended" in json.dumps(shown)
    assert manage("show", stays, "--json").json["job"]["status"] == "todo"


@pytest.fixture
def old_history(tasks, acme, other_tenant, enqueue, dead):
    """Of each tenant one success of 400 days ago; the dead letters' attempts are as old."""
    with tenant(acme):
        enqueue(acme, tasks.polish_floor)
    enqueue(other_tenant, tasks.polish_floor)
    run_jobs()
    TaskExecutionHistory.objects.update(finished_at=timezone.now() - timedelta(days=400))
    enqueue(acme, tasks.polish_floor)
    run_jobs("maintenance")
    TaskWorker.objects.update(stopped_at=timezone.now() - timedelta(days=400))


def test_cleanup_deletes_old_attempts_but_not_those_of_dead_letters(manage, old_history):
    counted = manage("cleanup", "--dry-run", "--json").json
    deleted = manage("cleanup", "--json").json

    assert (counted["attempts"], deleted["attempts"], deleted["kept_days"]) == (2, 2, 365)
    assert counted["workers"] == deleted["workers"] > 0
    left = TaskExecutionHistory.objects.values_list("status", flat=True)
    assert sorted(left) == ["failed", "failed", "failed", "succeeded"]
    assert manage("cleanup", "--json").json["attempts"] == 0


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        (["--tenant", 8], 1),
        (["--task", "polish_floor"], 2),
        (["--outcome", "failed"], 0),
        (["--older-than", 0], 2),  # whole days before today
        (["--older-than", 500], 0),
    ],
)
def test_cleanup_of_a_part(words, attempts, manage, old_history):
    assert manage("cleanup", "--json", *words).json["attempts"] == attempts


def test_cleanup_takes_numbers_whose_days_are_over_and_says_how_many(manage):
    insert = "INSERT INTO youtility_tasks_taskperformancemetrics SELECT (jsonb_populate_record(NULL::youtility_tasks_taskperformancemetrics, %s::jsonb)).*"
    with connection.cursor() as cursor:
        for days, resolution_s in {2: 60, 20: 60, 30: 3_600, 500: 3_600}.items():
            begins_at = timezone.now() - timedelta(days=days)
            row = {**_NUMBERS, "id": days, "resolution_s": resolution_s, "begins_at": begins_at.isoformat()}
            cursor.execute(insert, [json.dumps(row)])

    told = manage("cleanup", "--dry-run", "--json").json
    of_one = manage("cleanup", "--outcome", "succeeded", "--json").json
    assert TaskPerformanceMetrics.objects.count() == 4
    gone = manage("cleanup", "--json").json

    assert [(each["minutes"], each["hours"]) for each in (told, of_one, gone)] == [(1, 1), (0, 0), (1, 1)]
    assert set(TaskPerformanceMetrics.objects.values_list("id", flat=True)) == {2, 30}
    assert manage("cleanup", "--json", "--task", "send_ticket_email").json["hours"] == 0


_NUMBERS = {
    **{
        "tenant_id": 7,
        "queue_name": "email",
        "task_name": "t",
        "outcome": "succeeded",
        "cpu_sum_ms": 0,
        "peak_memory_sum_kib": 0,
    },
    **{f"{name}_count": 1 for name in ("attempt", "retried", "dead_letter", "wait", "run")},
    **{
        f"{of}_{name}": value
        for of in ("wait", "run")
        for name, value in (("sum_ms", 1), ("buckets", [1]), ("counts", [1]))
    },
}


def test_cleanup_goes_on_batch_by_batch(old_history):
    assert prune.remove_old(timezone.now(), batch=1).attempt_count == 2


def test_a_dry_run_of_cleanup_says_exactly_what_then_goes(manage, old_history):
    long_ago = (timezone.now() - timedelta(days=500)).date()
    with connection.cursor() as cursor:
        cursor.execute("SELECT youtility_tasks_add_history_day_v1(%s)", [long_ago])
        cursor.execute(
            "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number,"
            " enqueued_at, finished_at, status, outcome, is_final)"
            " SELECT 1, 'polish_floor', 'email', 7, 5, 1, 1, d, d, 'failed', o, true"
            " FROM unnest(ARRAY['failed', 'failed', 'succeeded']) o, (SELECT %s::date::timestamp AT TIME ZONE 'UTC') x(d)",
            [long_ago],
        )
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, enqueued_at)"
            " VALUES ('email', 'x', '{}', 'succeeded', '2020-01-01')"
        )

    page = manage("cleanup", "--dry-run").out
    counted = manage("cleanup", "--dry-run", "--json").json
    removed = manage("cleanup", "--json").json

    assert counted == {**removed, "dry_run": True}
    assert removed["partitions"] == [
        {"day": long_ago.isoformat(), "attempts": 3, "by_outcome": {"failed": 2, "succeeded": 1}}
    ]
    assert removed["attempts_by_outcome"] == {"failed": 2, "succeeded": 3}
    assert (removed["attempts"], removed["jobs_by_status"], removed["postponed"]) == (5, {"succeeded": 1}, [])
    assert "Would remove 5 attempts, 1 of their days whole; 1 jobs that a stock worker left;" in page
    assert f"{long_ago}" in page
    assert manage("cleanup", "--json").json["attempts"] == 0
