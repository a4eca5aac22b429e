"""`pause`, `resume`, `limits` and `why`: words, documents, exit statuses."""

from __future__ import annotations

import getpass
import socket
from datetime import UTC, datetime, timedelta

import pytest

from youtility_tasks.models import QueueControl, TaskAuditLog

pytestmark = pytest.mark.django_db

ME = f"{getpass.getuser()}@{socket.gethostname()}"


def test_pause_and_resume_say_what_stands_and_who_did_it(manage, tasks, acme):
    said = manage(
        "pause", "--queue", "reports", "--tenant", acme, "--minutes", 30, "--reason", "printer on fire", "--json"
    )

    control = said.json["control"]
    assert said.code == 0
    assert (control["target"], control["queue"], control["task"], control["tenant"]) == (
        "tenant 7 in queue reports",
        "reports",
        None,
        acme,
    )
    assert (control["is_paused"], control["paused_by"], control["reason"]) == (True, ME, "printer on fire")
    until, since = (datetime.fromisoformat(control[name]) for name in ("paused_until", "paused_at"))
    assert abs(until - since - timedelta(minutes=30)) < timedelta(seconds=1)

    assert "printer on fire" in manage("limits").out
    said = manage("resume", "--queue", "reports", "--tenant", acme)
    assert (said.code, said.out) == (0, "tenant 7 in queue reports: no limit.\n")
    assert list(TaskAuditLog.objects.order_by("id").values_list("actor", "act")[1:]) == [(ME, "pause"), (ME, "resume")]


def test_a_pause_until_an_instant(manage, tasks):
    until = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)

    said = manage("pause", "--task", "polish_floor", "--until", until.isoformat())

    assert said.out == f"task polish_floor: paused until {until:%Y-%m-%d %H:%M:%S}Z.\n"


@pytest.mark.parametrize(
    ("text", "per_s", "shown"),
    [("10/s", 10, "10/s"), ("600/min", 10, "10/s"), ("90/min", 1.5, "1.5/s"), ("6/min", 0.1, "6/min"),
     ("100/h", 100 / 3600, "1.66667/min"), ("5/d", 5 / 86_400, "5/d"), ("0.5", 0.5, "30/min")],
)  # fmt: skip
def test_rates_are_given_and_shown_in_a_unit(manage, tasks, text, per_s, shown):
    said = manage("limits", "set", "--queue", "reports", "--rate", text, "--json")

    assert said.json["control"]["rate_per_s"] == pytest.approx(per_s)
    assert f"{shown}, burst 1" in manage("limits").out


def test_limits_set_list_and_clear(manage, tasks, acme, enqueue):
    said = manage(
        "limits", "set", "--queue", "reports", "--tenant", acme, "--running", 5, "--rate", "2/s", "--burst", 3, "--reason", "r"
    )  # fmt: skip
    assert (said.code, said.out) == (0, "tenant 7 in queue reports: 0 of 5 run; 2/s, burst 3.\n")
    manage("limits", "set", "--task", "polish_floor", "--running", 1)

    listed = manage("limits", "--json").json["controls"]
    assert [(each["target"], each["max_running"], each["running"], each["parked"]) for each in listed] == [
        ("task polish_floor", 1, 0, 0),
        ("tenant 7 in queue reports", 5, 0, 0),
    ]
    assert listed[1]["tokens"] == 3
    assert [
        each["target"] for each in manage("limits", "list", "--task", "polish_floor", "--json").json["controls"]
    ] == ["task polish_floor"]

    assert manage("limits", "clear", "--queue", "reports", "--tenant", acme).code == 0
    again = manage("limits", "clear", "--queue", "reports", "--tenant", acme)
    assert (again.code, again.out) == (1, "")
    assert "There is no limit of tenant 7 in queue reports." in again.err


def test_a_queue_may_stand_alone(manage, tasks):
    assert manage("pause", "email").out == "queue email: paused.\n"
    assert manage("resume", "email").out == "queue email: no limit.\n"


def test_a_page_without_limits_says_so(manage, tasks):
    assert manage("limits").out == "Nothing is limited or paused.\n"
    assert manage("limits", "--json").json == {"controls": []}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["pause", "--queue", "emial"], "Did you mean 'email'?"),
        (["pause", "--task", "polish_flor"], "No task is called 'polish_flor'. Did you mean 'polish_floor'?"),
        (["limits", "set", "--tenant", 99, "--running", 1], "No tenant is called 99; known: 7."),
        (["limits", "--queue", "emial"], "No queue is called 'emial'"),
        (["resume", "--queue", "email"], "There is no pause of queue email. `manage_task_queue limits` lists what is set."),
        (["limits", "set", "--queue", "email", "--burst", 3], "belongs to a rate, and queue email has none"),
        (["pause", "--queue", "email", "--until", "2020-01-01T00:00:00Z"], "right is an instant after now"),
        (["why", 12345], "No job has the id 12345 here."),
    ],
)  # fmt: skip
def test_a_refusal_ends_with_1_and_says_why(words, text, manage, tasks, acme):
    said = manage(*words)
    assert (said.code, said.out) == (1, "")
    assert text in said.err
    assert not QueueControl.objects.exists()

    assert manage(*words, "--json").json["ok"] is False


@pytest.mark.parametrize(
    "words",
    [
        ["pause"],
        ["resume"],
        ["pause", "--queue", ""],
        ["pause", "email", "--queue", "email"],
        ["pause", "--queue", "email", "--minutes", "0"],
        ["pause", "--queue", "email", "--minutes", "-3"],
        ["pause", "--queue", "email", "--minutes", "nan"],
        ["pause", "--queue", "email", "--minutes", "3", "--until", "2999-01-01T00:00:00Z"],
        ["pause", "--queue", "email", "--until", "tomorrow"],
        ["pause", "--tenant", "0"],
        ["limits", "set"],
        ["limits", "set", "--queue", "email"],
        ["limits", "set", "--queue", "email", "--running", "0"],
        ["limits", "set", "--queue", "email", "--rate", "0/s"],
        ["limits", "set", "--queue", "email", "--rate", "3/fortnight"],
        ["limits", "set", "--queue", "email", "--rate", "fast"],
        ["limits", "set", "--queue", "email", "--rate", "1/s", "--burst", "0.5"],
        ["limits", "clear"],
        ["limits", "clear", "--queue", "email", "--running", "3"],
        ["limits", "--running", "3"],
        ["limits", "drop"],
        ["why"],
        ["why", "x"],
    ],
)
def test_bad_usage_of_limits_ends_with_2(words, manage, tasks):
    said = manage(*words)

    assert (said.code, said.out) == (2, "")
    assert said.err.strip()
    assert not QueueControl.objects.exists()


def test_why_says_it_in_a_sentence_and_in_fields(manage, tasks, acme, enqueue):
    job_id = enqueue(acme, tasks.polish_floor)
    manage("pause", "--tenant", acme, "--reason", "no floor today")

    said = manage("why", job_id)
    assert said.code == 0
    assert said.out.startswith(f"Job {job_id} (polish_floor): It waits: tenant 7 is paused by {ME} since 2")

    document = manage("why", job_id, "--json").json
    assert (document["id"], document["task"], document["status"], document["because"]) == (
        job_id,
        "polish_floor",
        "todo",
        "paused",
    )
    assert document["sentence"] in said.out
    assert document["facts"]["reason"] == "no floor today"
    assert document["expected_start_at"] is None
    assert datetime.fromisoformat(document["facts"]["paused_at"]).tzinfo is not None


def test_why_of_another_tenants_job_is_not_found(manage, tasks, acme, other_tenant, enqueue):
    job_id = enqueue(acme, tasks.polish_floor)

    assert manage("why", job_id, "--tenant", other_tenant).code == 1
    assert manage("why", job_id, "--tenant", acme).code == 0
