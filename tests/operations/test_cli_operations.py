"""`operations` on the command line: what it would do, begun, followed, stopped and undone; and `jobs --search`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import acme, enqueue, manage, other_tenant, say, tasks
from youtility_tasks.models import Job, TaskAuditLog, TaskOperation
from youtility_tasks.operations import carrying
from youtility_tasks.testing import run_jobs

__all__ = ["acme", "enqueue", "manage", "other_tenant", "say", "tasks"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def dead(tasks: Any, acme: int, other_tenant: int, enqueue: Any) -> list[int]:
    """Two windows and a key of one tenant, a window of another: dead letters. And a floor that waits."""
    ids = [
        enqueue(acme, tasks.break_window, guest="ann"),
        enqueue(acme, tasks.break_window, guest="bob"),
        enqueue(acme, tasks.lose_key),
        enqueue(other_tenant, tasks.break_window, guest="ann"),
    ]
    run_jobs()
    enqueue(acme, tasks.polish_floor, floor=3)
    return ids


def test_a_dry_run_says_how_many_and_changes_nothing(manage: Any, dead: list[int]) -> None:
    said = manage("operations", "begin", "retry", "--search", "error:broke", "--tenant", 7, "--dry-run", "--json").json
    assert said["ok"] and said["dry_run"]
    assert (said["preview"]["count"], said["preview"]["by_task"]) == (2, {"break_window": 2})
    assert {each["id"] for each in said["preview"]["sample"]} == set(dead[:2])
    assert not TaskOperation.objects.exists()
    assert "Would retry 3 jobs" in manage("operations", "begin", "retry", "--all", "--tenant", 7, "--dry-run").out


def test_one_is_begun_followed_and_undone(manage: Any, dead: list[int]) -> None:
    words = [
        "begin",
        "retry",
        "--task",
        "break_window",
        "--tenant",
        7,
        "--reason",
        "glass is here",
        "--rate",
        "60/min",
        "--json",
    ]
    begun = manage("operations", *words).json["operation"]
    assert (begun["status"], begun["jobs"], begun["filter"], begun["rate_per_s"]) == (
        "running",
        2,
        {"task_name": "break_window"},
        1.0,
    )
    carrying.carry_on(begun["id"], 7)
    shown = manage("operations", "show", begun["id"], "--tenant", 7, "--json").json["operation"]
    assert (shown["status"], shown["done"], shown["progress"]) == ("ended", 2, 1.0)
    assert shown["undo_until"] > shown["ended_at"]

    undo = manage("operations", "undo", begun["id"], "--tenant", 7, "--json").json["operation"]
    carrying.carry_on(undo["id"], 7)

    assert set(Job.objects.filter(status="failed").values_list("pk", flat=True)) == set(dead)
    assert manage("operations", "show", begun["id"], "--tenant", 8).code == 1
    listed = manage("operations", "--json").json["operations"]
    assert [(each["act"], each["undoes"]) for each in listed] == [("undo", begun["id"]), ("retry", None)]
    assert "glass is here" in manage("operations", "list", "--tenant", 7).out
    assert TaskAuditLog.objects.filter(act="begin operation").get().reason == "glass is here"


def test_one_is_stopped(manage: Any, dead: list[int]) -> None:
    begun = manage("operations", "begin", "cancel", "--all", "--tenant", 7, "--json").json["operation"]
    assert (
        manage("operations", "stop", begun["id"], "--reason", "no", "--json").json["operation"]["status"] == "stopped"
    )
    assert manage("operations", "stop", begun["id"]).code == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["begin", "retry"], 2, "Which jobs?"),
        (["begin", "retry", "--all", "--task", "x"], 2, "Which jobs?"),
        (["begin"], 2, "Right is: operations begin ACT."),
        (["show"], 2, "Right is: operations show ID."),
        (["show", "x"], 2, "is not an operation's id"),
        (["list", "--rate", "5/s"], 2, "--rate belongs to begin"),
        (["begin", "retries", "--all"], 1, "Did you mean 'retry'"),
        (["begin", "retry", "--search", "taks:x"], 1, "Did you mean 'task'"),
        (["begin", "discard", "--all"], 1, "Why?"),
        (["show", "99"], 1, "No operation has the id 99 here."),
    ],
)
def test_what_makes_no_sense_is_told(manage: Any, dead: list[int], words: list[str], code: int, says: str) -> None:
    said = manage("operations", *words)
    assert said.code == code
    assert says in said.err.replace("\n", " ")
    assert not TaskOperation.objects.exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("args.guest:ann", [0]),
        ("error:ValueError", [0, 1]),
        ("error:BROKE task:break_*", [0, 1]),
        ("task:lose_* status:failed", [2]),
        ("error:nothing", []),
        ("window", [0, 1]),
        ("args.floor:3 status:failed", []),
    ],
)
def test_jobs_are_found_by_what_they_say_and_were_given(
    manage: Any, dead: list[int], text: str, found: list[int]
) -> None:
    said = manage("jobs", "--search", text, "--tenant", 7, "--json").json["jobs"]
    assert sorted(each["id"] for each in said) == [dead[n] for n in found]


def test_an_ended_job_is_found_by_its_arguments(manage: Any, dead: list[int]) -> None:
    run_jobs()
    (found,) = manage("jobs", "--search", "args.floor:3", "--tenant", 7, "--json").json["jobs"]
    assert (found["task"], found["status"]) == ("polish_floor", "succeeded")
