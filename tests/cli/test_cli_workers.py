"""`workers show|quiet|drain|resume`, `audit`, `tasks NAME`: what they say, and how they refuse."""

from __future__ import annotations

import pytest
from django.db import connection

from youtility_tasks import acts, controls, queues, schedules, tenant
from youtility_tasks.models import Job, TaskWorker, WorkerHeartbeat
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker() -> TaskWorker:
    children = [{"pid": 21, "memory_bytes": 64 << 20, "jobs": 1}]
    return TaskWorker.objects.create(
        id=14, host="north", pid=11, token="t", queue_name="email", status="running", children=children
    )


# -- workers


def test_a_worker_is_shown_with_the_jobs_that_it_holds(manage, worker, tasks, acme, other_tenant, enqueue):
    held, free = enqueue(acme, tasks.polish_floor), enqueue(other_tenant, tasks.polish_floor)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (14)")
    Job.objects.filter(pk=held).update(status="doing", worker_id=14)

    said = manage("workers", "show", 14, "--json")

    assert said.code == 0 and [each["id"] for each in said.json["jobs"]] == [held]
    assert (said.json["worker"]["id"], said.json["worker"]["order"]) == (14, None)
    page = manage("workers", "show", 14).out
    assert "polish_floor" in page and "64 MiB" in page and str(free) not in page.split()


def test_one_worker_says_how_it_does_and_why_children_were_replaced(manage, worker):
    assert "No child was replaced." in manage("workers", "show", 14).out
    last = [{"at": "2026-11-26T09:00:00+00:00", "pid": 19, "why": "crashed", "how": "signal SIGSEGV", "jobs": [7, 8]}]
    running = {"pid": 21, "memory_bytes": 64 << 20, "jobs": 2, "done": 12, "running": [4711]}
    TaskWorker.objects.update(
        replaced={"counts": {"jobs": 4, "crashed": 1}, "last": last}, children=[running], version="1.2", python="3.12"
    )
    WorkerHeartbeat.objects.create(
        worker_id=14,
        memory_bytes=70 << 20,
        children_bytes=64 << 20,
        child_count=1,
        running_mean=1.5,
        running_most=2,
        cpu=0.25,
    )

    said = manage("workers", "show", 14, "--json").json["worker"]
    page = manage("workers", "show", 14).out

    assert (said["replaced"], said["replacements"]) == ({"jobs": 4, "crashed": 1}, last)
    assert [each["cpu"] for each in said["heartbeats"]] == [0.25] and said["children"][0]["running"] == [4711]
    assert "share of jobs done 4, crashed 1" in page and "signal SIGSEGV" in page and "7, 8" in page and "4711" in page
    assert "0.25 processors busy" in page and "1.2" in page


def test_workers_are_told_and_the_list_says_so(manage, worker):
    said = manage("workers", "quiet", 14, "--reason", "deploy", "--json")

    assert (said.code, said.json["workers"][0]["order"], said.json["workers"][0]["order_reason"]) == (
        0,
        "quiet",
        "deploy",
    )
    assert "running, told to quiet" in manage("workers").out
    TaskWorker.objects.update(status="quiet")
    assert "told" not in manage("workers").out
    assert "claims again" in manage("workers", "resume", 14).out
    assert "leaves" in manage("workers", "drain", 14).out


def test_of_several_those_that_do_not_listen_are_told_one_by_one(manage, worker):
    said = manage("workers", "quiet", 14, 15, "--json")

    assert said.code == 1 and not said.json["ok"]
    assert [each["id"] for each in said.json["workers"]] == [14]
    assert [(each["id"], each["error"]) for each in said.json["refused"]] == [(15, "WorkerNotFound")]
    assert "No worker has the id 15" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("quiet",), ("show",), ("show", 1, 2), ("list", 14), ("quiet", 14, "--all"), ("show", 14, "--reason", "x"), ("quiet", "x"),
        ("quiet", 0), ("quiet", "99999999999999999999"), ("dance", 14), ("--queue",), ("quiet", 14, "--watch"),
    ],
)  # fmt: skip
def test_words_that_make_no_sense_end_with_2_and_tell_nobody(manage, worker, words):
    said = manage("workers", *words)

    assert said.code == 2 and said.out == "" and said.err
    assert TaskWorker.objects.get().told == ""


def test_workers_of_a_queue(manage, worker):
    assert "north" in manage("workers", "--queue", "email").out
    assert "No worker serves reports" in manage("workers", "--queue", "reports").out
    said = manage("workers", "--queue", "reprots")
    assert said.code == 1 and "Did you mean 'reports'" in said.err


# -- audit


@pytest.fixture
def done(tasks, acme, other_tenant, enqueue):
    """Three acts of two tenants and of all; ids of the jobs."""
    ours, theirs = enqueue(acme, tasks.polish_floor), enqueue(other_tenant, tasks.polish_floor)
    acts.cancel(ours, "entered twice")
    acts.cancel(theirs, "so they said")
    controls.pause(queue="email", reason="fire")
    return ours, theirs


def the_acts(said):
    return [(each["act"], each["reason"]) for each in said.json["acts"]]


def test_acts_are_listed_newest_first_and_filtered(manage, done, acme):
    ours, _ = done

    assert the_acts(manage("audit", "--json"))[:3] == [
        ("pause", "fire"),
        ("cancel", "so they said"),
        ("cancel", "entered twice"),
    ]
    assert the_acts(manage("audit", "--json", "--act", "cancel", "--tenant", acme)) == [("cancel", "entered twice")]
    assert the_acts(manage("audit", "--json", "--act", "cancel", "--target", ours)) == [("cancel", "entered twice")]
    assert the_acts(manage("audit", "--json", "--by", "nobody")) == []
    assert the_acts(manage("audit", "--json", "--until", "1d")) == []
    assert "entered twice" in manage("audit", "--since", "1h").out


def test_pages_of_acts_follow_each_other(manage, done):
    first = manage("audit", "--limit", 2, "--json")
    assert first.json["has_more"] and len(first.json["acts"]) == 2
    last = first.json["acts"][-1]["id"]
    assert f"--before {last}" in manage("audit", "--limit", 2).out

    following = manage("audit", "--before", last, "--json").json["acts"]

    assert [each["id"] for each in following] and all(each["id"] < last for each in following)


def test_a_job_with_an_id_that_begins_alike_is_another_one(manage, acme, tasks, enqueue):
    one = enqueue(acme, tasks.polish_floor)
    acts.cancel(one, "it")

    assert the_acts(manage("audit", "--json", "--target", f"{one}0")) == []


# -- one task


def test_one_task_is_told_with_how_it_went(manage, tasks, acme, other_tenant, enqueue):
    enqueue(acme, tasks.polish_floor), enqueue(other_tenant, tasks.polish_floor)
    broken = enqueue(acme, tasks.break_window)
    run_jobs()
    with tenant(acme):
        schedules.create("nightly", "polish_floor", cron="0 2 * * *")

    good, bad = (manage("tasks", name, "--tenant", acme, "--json").json for name in ("polish_floor", "break_window"))

    assert (good["lately"]["attempts"], good["lately"]["success_rate"], good["last_error"]) == (1, 1.0, None)
    assert [each["name"] for each in good["schedules"]] == ["nightly"]
    assert (bad["lately"]["success_rate"], bad["last_error"]["job"]) == (0.0, broken)
    assert bad["last_error"]["error_message"] == "the window [broke]"
    assert manage("tasks", "polish_floor", "--json").json["lately"]["attempts"] == 2
    page = manage("tasks", "break_window").out
    assert "the window [broke]" in page and "0.0 %" in page


def test_a_task_that_never_ran_has_no_rate(manage, tasks):
    said = manage("tasks", "polish_floor", "--last", "15m")

    assert said.code == 0 and "has not failed" in said.out
    assert manage("tasks", "polish_floor", "--json").json["lately"]["success_rate"] is None


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("polish_flor",), 1, "Did you mean 'polish_floor'"),
        (("polish_floor", "--queue", queues.EMAIL), 2, "not both"),
        (("--last", "1d"), 2, "go with one task"),
        (("--tenant", "7"), 2, "go with one task"),
        (("polish_floor", "--last", "0"), 2, "no time span"),
        (("polish_floor", "--last", "nan"), 2, "no time span"),
    ],
)
def test_what_cannot_be_asked_of_a_task(manage, tasks, words, code, says):
    said = manage("tasks", *words)

    assert said.code == code and says in said.err and said.out == ""
