"""`submit` with a rule, and `show` and `why` of a job that holds a key."""

from __future__ import annotations

import re

import pytest

from youtility_tasks.models import Job, TaskAuditLog, UniqueKey

pytestmark = pytest.mark.django_db


def submit(manage, acme, floor, *words):
    return manage(
        "submit", "break_window", "--tenant", acme, "--json-args", f'{{"guest": "{floor}"}}', "--json", *words
    )


def test_submit_takes_a_rule_and_says_what_became_of_the_call(manage, tasks, acme):
    words = ("--unique-by", "guest", "--while", "until_done", "--period", "2h")
    first = submit(manage, acme, "ann", *words).json["job"]

    again = submit(manage, acme, "ann", *words).json["job"]
    other = submit(manage, acme, "bob", *words).json["job"]

    assert (again["id"], again["is_new"], again["is_replaced"], other["is_new"]) == (first["id"], False, False, True)
    assert UniqueKey.objects.count() == 2


def test_submit_replaces_and_the_audit_log_knows(manage, tasks, acme):
    words = ("--unique", "k", "--on-conflict", "replace", "--reason", "wrong guest")
    first = submit(manage, acme, "ann", *words).json["job"]

    again = submit(manage, acme, "bob", *words).json["job"]

    assert (again["id"], again["is_new"], again["is_replaced"]) == (first["id"], False, True)
    assert Job.objects.get().args == {"guest": "bob"}
    entries = list(
        TaskAuditLog.objects.filter(act="run").order_by("pk").values_list("act", "reason", "after__has_new_arguments")
    )
    assert entries == [("run", "wrong guest", None), ("run", "wrong guest", True)]
    said = manage("submit", "break_window", "--tenant", acme, *words)
    assert said.out.startswith("No job was added: the one that waits under its key has these arguments now. Job ")


def test_submit_debounces(manage, tasks, acme):
    words = ("--debounce", "30s", "--max-wait", "5m", "--unique-by", "guest")
    first = submit(manage, acme, "ann", *words).json["job"]

    again = submit(manage, acme, "ann", *words).json["job"]

    assert (again["id"], again["is_replaced"]) == (first["id"], True)
    assert first["scheduled_at"] < again["scheduled_at"] == Job.objects.get().scheduled_at.isoformat()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--debounce", "30s", "--while", "waiting"], 2, "leave out --while, --period and --on-conflict"),
        (["--max-wait", "30s"], 2, "--max-wait belongs to --debounce"),
        (["--period", "soon"], 2, "'soon' is no time span"),
        (["--unique-by", "a,,b"], 2, "'a,,b' is no list of names"),
        (["--while", "running"], 2, "invalid choice: 'running'"),
        (["--unique-by", "gust"], 1, "by names 'gust'; right are arguments of the task: guest"),
        (["--unique-by", "guest", "--unique", "k"], 1, "by is .* and key is 'k'; right is one of the two"),
    ],
)
def test_submit_says_what_is_wrong_with_a_rule(manage, tasks, acme, words, code, says):
    said = manage("submit", "break_window", "--tenant", acme, *words)

    assert said.code == code
    assert re.search(says, said.err)
    assert not Job.objects.exists()


def test_show_and_why_say_what_a_job_holds(manage, tasks, acme):
    job = submit(manage, acme, "ann", "--unique", "k", "--while", "until_done", "--period", "2h").json["job"]

    shown = manage("show", job["id"], "--json").json["job"]
    page = " ".join(manage("show", job["id"]).out.split())
    why = manage("why", job["id"]).out

    assert [(each["key"], each["while"]) for each in shown["holds"]] == [("k", "until_done"), ("k", "period")]
    assert shown["holds"][0]["until"] is None and shown["holds"][1]["until"] is not None
    for text in (page, " ".join(why.split())):
        assert "Later calls with its key 'k' are answered with it until it has succeeded" in text
