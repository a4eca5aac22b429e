"""`dead-letters`: the list by error, redriven, discarded, stopped; and `retry --set`."""

from __future__ import annotations

import io
import sys
from datetime import timedelta
from typing import Any

import pytest

from youtility_tasks.models import Job, Redrive, TaskAuditLog, TaskExecutionHistory
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def dead(tasks: Any, acme: int, other_tenant: int, enqueue: Any) -> list[int]:
    """Two windows and a key of one tenant, a window of another: dead letters."""
    ids = [
        enqueue(acme, tasks.break_window, guest="ann"),
        enqueue(acme, tasks.break_window, guest="bob"),
        enqueue(acme, tasks.lose_key),
        enqueue(other_tenant, tasks.break_window),
    ]
    run_jobs()
    return ids


def statuses(*ids: int) -> list[str]:
    return [Job.objects.get(pk=each).status for each in ids]


def test_the_list_has_a_line_an_error_with_an_example(manage, dead):
    said = manage("dead-letters", "--json").json

    window, key = said["groups"]
    assert (window["task"], window["error_class"], window["count"], window["tenants"]) == (
        "break_window",
        "builtins.ValueError",
        3,
        2,
    )
    assert window["example"] == {"job": dead[3], "error_message": "the window [broke]"}
    assert window["says"] == "the window ?" and window["place"].endswith("conftest.py in break_window")
    assert window["first_seen_at"] < window["last_seen_at"]
    assert (key["task"], key["count"]) == ("lose_key", 1)
    assert [each["id"] for each in said["dead_letters"]] == dead[::-1] and not said["has_more_groups"]
    assert window["fingerprint"] in manage("dead-letters").out.replace("\n", "")


def test_the_list_is_narrowed_by_tenant_task_error_and_time(manage, dead):
    key = manage("dead-letters", "--task", "lose_key", "--json").json["groups"][0]["fingerprint"]
    Job.objects.filter(pk=dead[0]).update(failed_at=Job.objects.get(pk=dead[0]).failed_at - timedelta(days=2))

    def found(*words: object) -> list[int]:
        said = manage("dead-letters", *words, "--json").json
        assert sum(each["count"] for each in said["groups"]) == len(said["dead_letters"])
        return sorted(each["id"] for each in said["dead_letters"])

    assert found("--tenant", 8) == [dead[3]]
    assert found("--fingerprint", key) == [dead[2]]
    assert found("--since", "1d") == dead[1:]
    assert found("--until", "1d") == dead[:1]
    assert found("--fingerprint", "0" * 16) == []
    assert manage("dead-letters", "--limit", 1, "--json").json["has_more_groups"]
    assert manage("dead-letters", "--task", "lose_kay").code == 1


def test_an_error_is_redriven_at_a_rate_for_a_tenant(manage, dead):
    window = manage("dead-letters", "--json").json["groups"][0]["fingerprint"]
    words = ["dead-letters", "redrive", "--fingerprint", window, "--tenant", 7, "--rate", "30/min", "--json"]
    would = manage(*words, "--dry-run")
    assert (would.code, would.json) == (0, {"ok": True, "dry_run": True, "letters": 2})
    assert not Redrive.objects.exists()

    said = manage(*words, "--reason", "new glass")

    assert said.code == 0
    told = said.json["redrive"]
    assert (told["letters"], told["done"], told["refused_count"], told["status"]) == (2, 2, 0, "ended")
    assert (told["rate_per_s"], told["reason"], told["tenant"], told["set"]) == (0.5, "new glass", 7, [])
    assert statuses(*dead) == ["todo", "todo", "failed", "failed"]
    first, second = (Job.objects.get(pk=each).scheduled_at for each in dead[:2])
    assert second - first == timedelta(seconds=2)
    listed = manage("dead-letters", "redrives", "--json").json["redrives"]
    assert [(each["id"], each["filter"]["fingerprint"]) for each in listed] == [(told["id"], window)]
    assert "ended" in manage("dead-letters", "redrives", "--tenant", 7).out


def test_arguments_are_given_anew(manage, dead, monkeypatch):
    words = ["dead-letters", "redrive", "--task", "break_window", "--tenant", 7]
    assert manage(*words, "--set", 'guest="eve"', "--json").json["redrive"]["set"] == ["guest"]
    assert [Job.objects.get(pk=each).args for each in dead[:2]] == [{"guest": "eve"}] * 2

    monkeypatch.setattr(sys, "stdin", io.StringIO('"zoe"'))
    said = manage("retry", dead[3], "--set", "guest=-", "--json")

    assert (said.code, said.json["done"][0]["becomes"]) == (0, "todo")
    assert Job.objects.get(pk=dead[3]).args == {"guest": "zoe"}
    assert "zoe" not in str(list(TaskAuditLog.objects.values()))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["retry", "{0}", "--set", "gast=1"], "takes no argument 'gast'; it takes guest. Did you mean 'guest'?"),
        (["retry", "{0}", "{2}", "--set", "guest=1"], "takes no argument 'guest'"),
        (["retry", "99", "--set", "guest=1"], "No job has the id 99"),
        (["dead-letters", "redrive", "--task", "break_window", "--set", "guest=1"], "name the task (--task NAME) and the tenant"),
        (["dead-letters", "redrive", "--all", "--tenant", "7", "--set", "guest=1"], "name the task (--task NAME) and the tenant"),
        (["dead-letters", "redrive", "--task", "break_windo"], "No task is called 'break_windo'. Did you mean 'break_window'?"),
        (["dead-letters", "resume", "99"], "No redrive has the id 99 here."),
        (["dead-letters", "stop", "99"], "No redrive has the id 99 here."),
        (["dead-letters", "discard", "--task", "lose_kay", "--reason", "so"], "No task is called 'lose_kay'"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why_and_changes_nothing(words, text, manage, dead):
    before = list(Job.objects.order_by("pk").values())

    said = manage(*[each.format(*dead) for each in words])

    assert said.code == 1
    assert text in said.err
    assert list(Job.objects.order_by("pk").values()) == before
    assert not Redrive.objects.exists()
    assert not TaskAuditLog.objects.filter(act__in=["redrive", "retry", "discard", "stop redrive"]).exists()


@pytest.mark.parametrize(
    "words",
    [
        ["dead-letters", "redrive"],
        ["dead-letters", "redrive", "--all", "--task", "t"],
        ["dead-letters", "redrive", "--all", "--rate", "0"],
        ["dead-letters", "redrive", "--all", "--rate", "fast"],
        ["dead-letters", "redrive", "--all", "--set", "guest"],
        ["dead-letters", "redrive", "--all", "--set", "guest=ann"],
        ["dead-letters", "redrive", "--all", "--set", "a=1", "--set", "a=2"],
        ["dead-letters", "redrive", "7", "--all"],
        ["dead-letters", "discard", "--all"],
        ["dead-letters", "discard", "--all", "--reason", " "],
        ["dead-letters", "discard", "--reason", "so"],
        ["dead-letters", "discard", "--all", "--reason", "so", "--rate", "1/s"],
        ["dead-letters", "--fingerprint", "xyz"],
        ["dead-letters", "--reason", "so"],
        ["dead-letters", "--dry-run"],
        ["dead-letters", "--since", "yesterday"],
        ["dead-letters", "resume"],
        ["dead-letters", "stop", "1", "--task", "t"],
        ["dead-letters", "redrives", "--task", "t"],
        ["dead-letters", "frobnicate"],
        ["retry", "--all", "--set", "guest=1"],
        ["retry", "1", "--set", "guest=1", "--dry-run"],
    ],
)
def test_bad_usage_ends_with_2(words, manage, db):
    said = manage(*words)

    assert (said.code, said.out) == (2, "")
    assert said.err.strip()


def test_a_value_that_is_no_json_is_not_said_again(manage, db):
    said = manage("retry", 1, "--set", "token=hunter2")

    assert said.code == 2 and "text needs quotes" in " ".join(said.err.split())
    assert "hunter2" not in said.err


def test_one_that_is_refused_is_told_and_the_exit_status_says_so(manage, tasks, dead, enqueue):
    Job.objects.filter(pk=dead[2]).update(queueing_lock="7:key")
    waiting = enqueue(7, tasks.lose_key)
    Job.objects.filter(pk=waiting).update(queueing_lock="7:key")

    said = manage("dead-letters", "redrive", "--all", "--tenant", 7, "--json")

    assert (said.code, said.json["ok"], said.json["redrive"]["done"]) == (1, False, 2)
    assert [each["job"] for each in said.json["redrive"]["refused"]] == [dead[2]]
    assert f"Job {dead[2]} (lose_key) stays a dead letter: another job waits under its queueing lock" in said.err


def test_letters_are_discarded_with_a_reason(manage, dead):
    assert manage("dead-letters", "discard", "--task", "break_window", "--dry-run", "--json").json["letters"] == 3

    said = manage("dead-letters", "discard", "--task", "break_window", "--tenant", 7, "--reason", "walled up", "--json")

    assert (said.code, [each["id"] for each in said.json["done"]]) == (0, dead[:2])
    assert statuses(*dead[2:]) == ["failed", "failed"]
    assert TaskExecutionHistory.objects.of_job(dead[0]).last().error_message == "walled up"


def test_an_unfinished_redrive_is_shown_resumed_and_stopped(manage, dead):
    rows = [
        Redrive.objects.create(tenant_id=7, key=key, started_by="x", total_count=3, failed_until="2999-01-01T00:00:00Z")
        for key in "ab"
    ]
    assert f"`dead-letters resume {rows[0].pk}`" not in manage("dead-letters", "redrives").out

    resumed = manage("dead-letters", "resume", rows[0].pk, "--json").json["redrive"]
    stopped = manage("dead-letters", "stop", rows[1].pk, "--reason", "enough", "--json").json["redrive"]

    assert (resumed["status"], resumed["done"]) == ("ended", 3)
    assert (stopped["status"], stopped["done"]) == ("stopped", 0)
    assert statuses(*dead) == ["todo"] * 3 + ["failed"]
    assert manage("dead-letters", "stop", rows[1].pk).code == 1
    assert manage("dead-letters", "resume", rows[0].pk, "--tenant", 8).code == 1
