"""The verbs that only look: stats, workers, tasks, jobs, dead-letters, show. Two tenants wherever something is listed."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management.base import OutputWrapper
from django.db.models import F
from django.utils import timezone

from youtility_tasks import queues, tenant
from youtility_tasks.management import printing
from youtility_tasks.management.verbs.answer import table
from youtility_tasks.models import Job, TaskExecutionHistory, TaskWorker
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def worked_day(tasks, acme, other_tenant, enqueue):
    """Of two tenants: one job that succeeded, two dead letters, one that waits and one for later; ids by name."""
    ids = {
        "done": enqueue(acme, tasks.polish_floor, floor=3),
        "broken": enqueue(acme, tasks.break_window, guest="Mr Doe"),
        "lost": enqueue(other_tenant, tasks.lose_key),
    }
    run_jobs()
    ids["waiting"] = enqueue(other_tenant, tasks.polish_floor)
    with tenant(acme):
        later = tasks.polish_floor.using(run_after=timezone.now() + timedelta(hours=1))
        ids["later"] = int(later.enqueue().id)
    return ids


def by_queue(document):
    return {each["queue"]: each for each in document["queues"]}


def test_stats_counts_each_job_once_for_every_configured_queue(manage, worked_day):
    said = manage("stats", "--json")

    assert said.code == 0
    found = by_queue(said.json)
    assert found.keys() == queues.configured().keys()
    keys = ("todo", "doing", "scheduled", "failed")
    assert {name: tuple(each[key] for key in keys) for name, each in found.items()} == {
        "email": (0, 0, 0, 1),
        "high_priority": (0, 0, 0, 1),
        "maintenance": (1, 0, 1, 0),
        "reports": (0, 0, 0, 0),
    }
    assert found["reports"]["oldest_seconds"] == 0
    assert 0 <= found["maintenance"]["oldest_seconds"] < 60
    hour = said.json["last_hour"]
    assert (hour["attempts"], hour["succeeded"], hour["failed"], hour["retried"]) == (3, 1, 2, 0)
    assert hour["run_p95_ms"] >= hour["run_p50_ms"] >= 0
    assert {each["task"] for each in said.json["tasks"]} == {"polish_floor", "break_window", "lose_key"}


def test_stats_of_a_tenant_count_only_its_jobs(manage, worked_day, acme):
    said = manage("stats", "--json", "--tenant", acme)

    found = by_queue(said.json)
    assert (found["email"]["failed"], found["high_priority"]["failed"]) == (0, 1)
    assert (found["maintenance"]["todo"], found["maintenance"]["scheduled"]) == (0, 1)
    assert said.json["last_hour"]["attempts"] == 2


def test_stats_measures_the_oldest_due_job_from_when_it_was_due(manage, worked_day):
    Job.objects.filter(pk=worked_day["waiting"]).update(enqueued_at=F("enqueued_at") - timedelta(hours=2))

    assert 7200 <= by_queue(manage("stats", "--json").json)["maintenance"]["oldest_seconds"] < 7260


def test_stats_for_people_names_queues_and_tasks(manage, worked_day):
    said = manage("stats")

    assert said.code == 0
    assert "high_priority" in said.out
    assert "break_window" in said.out


def test_percentiles_are_of_the_last_hour_only(manage, tasks, acme, enqueue):
    for _ in range(3):
        enqueue(acme, tasks.polish_floor)
    run_jobs()
    rows = TaskExecutionHistory.objects.order_by("job_id")
    for row, (wait_ms, ended_ago) in zip(rows, [(10, 1), (30, 2), (5000, 90)], strict=True):
        TaskExecutionHistory.objects.filter(pk=row.pk).update(
            wait_ms=wait_ms, finished_at=timezone.now() - timedelta(minutes=ended_ago)
        )

    hour = manage("stats", "--json").json["last_hour"]

    assert (hour["attempts"], hour["wait_p50_ms"], hour["wait_p95_ms"]) == (2, pytest.approx(10, rel=0.05), 30.0)


def test_stats_of_another_span_and_told_apart_otherwise(manage, worked_day, acme):
    TaskExecutionHistory.objects.filter(job_id=worked_day["done"]).update(
        finished_at=timezone.now() - timedelta(minutes=90)
    )

    def ended(*words):
        said = manage("stats", "--json", *words)
        assert said.code == 0
        return {each[said.json["ended"]["by"]]: each for each in said.json["ended"]["rows"]}

    assert "ended" not in manage("stats", "--json").json
    assert ended("--by", "task").keys() == {"break_window", "lose_key"}
    assert ended("--since", "2h").keys() == {"break_window", "lose_key", "polish_floor"}
    assert ended("--since", "2h", "--by", "queue")["maintenance"]["outcomes"] == {"succeeded": 1}
    assert ended("--since", "2h", "--by", "tenant")[acme]["attempts"] == 2
    assert ended("--since", "2h", "--by", "outcome", "--tenant", acme).keys() == {"succeeded", "failed"}
    assert "polish_floor" in manage("stats", "--since", "2h").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--by", "worker"], "invalid choice"),
        (["--since", "yesterday"], "15m"),
        (["--since", "2999-01-01T00:00:00Z"], "is no span"),
    ],
)
def test_stats_of_what_cannot_be_meant_says_so(words, says, manage, acme):
    said = manage("stats", *words)

    assert said.code in (1, 2)
    assert says in said.err


def test_jobs_lists_live_and_ended_ones_once_each_newest_first(manage, worked_day):
    said = manage("jobs", "--json")

    assert said.code == 0
    found = {each["id"]: each for each in said.json["jobs"]}
    assert list(found) == sorted(worked_day.values(), reverse=True)
    assert {name: found[job_id]["status"] for name, job_id in worked_day.items()} == {
        "done": "succeeded",
        "broken": "failed",
        "lost": "failed",
        "waiting": "todo",
        "later": "todo",
    }
    broken = found[worked_day["broken"]]
    assert (broken["tenant"], broken["queue"], broken["priority"], broken["attempts"], broken["max_attempts"]) == (
        7,
        "high_priority",
        2,
        1,
        1,
    )
    assert (broken["error_class"], broken["error_message"]) == ("builtins.ValueError", "the window [broke]")
    assert said.json["has_more"] is False
    assert "Mr Doe" not in said.out


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--status", "todo"], {"waiting", "later"}),
        (["--status", "failed", "succeeded"], {"broken", "lost", "done"}),
        (["--status", "succeeded"], {"done"}),
        (["--status", "cancelled"], set()),
        (["--tenant", "8"], {"lost", "waiting"}),
        (["--tenant", "7", "--task", "polish_floor"], {"done", "later"}),
        (["--queue", "email"], {"lost"}),
        (["--since", "1h"], {"done", "broken", "lost", "waiting", "later"}),
        (["--since", "2999-01-01T00:00:00Z"], set()),
    ],
)
def test_filters_choose_among_live_and_ended_jobs(words, names, manage, worked_day):
    said = manage("jobs", "--json", *words)

    assert {each["id"] for each in said.json["jobs"]} == {worked_day[name] for name in names}


def test_the_limit_keeps_the_newest_and_says_that_there_are_more(manage, worked_day):
    said = manage("jobs", "--json", "--limit", 2)

    assert [each["id"] for each in said.json["jobs"]] == [worked_day["later"], worked_day["waiting"]]
    assert said.json["has_more"] is True
    assert "the newest 2" in manage("jobs", "--limit", 2).out


def test_a_table_in_a_pipe_is_neither_cut_nor_coloured_and_errors_are_no_markup(manage, worked_day):
    said = manage("jobs")

    assert "ValueError: the window [broke]" in said.out
    assert "\x1b" not in said.out


def test_an_error_cannot_steer_the_terminal(manage, worked_day):
    TaskExecutionHistory.objects.filter(job_id=worked_day["broken"]).update(error_message="red \x1b[31m\x07alarm")

    for said in (manage("jobs"), manage("show", worked_day["broken"])):
        assert "\x1b" not in said.out
        assert "\x07" not in said.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["jobs", "--queue", "emial"], "No queue is called 'emial'; known: email, .* Did you mean 'email'?"),
        (["jobs", "--task", "polish_flor"], "No task is called 'polish_flor'. Did you mean 'polish_floor'?"),
        (["jobs", "--tenant", "99"], "No tenant has the id 99. `manage_task_queue tenants` lists them."),
        (["stats", "--tenant", "99"], "No tenant has the id 99"),
        (["tasks", "--queue", "emial"], "No queue is called 'emial'; known: email, .* Did you mean 'email'?"),
        (["tasks", "--queue", ""], "No queue is called ''; known: email, "),
        (["retry", "--queue", ""], "No queue is called ''; known: email, "),
        (["dead-letters", "--tenant", "99"], "No tenant has the id 99"),
    ],
)
def test_a_name_that_does_not_exist_is_not_found_rather_than_an_empty_list(words, text, manage, worked_day):
    said = manage(*words)

    assert said.code == 1
    assert said.out == ""
    for part in text.split(".*"):
        assert part in said.err


def test_dead_letters_are_listed_with_their_error_for_all_and_for_one_tenant(manage, worked_day):
    everyone, one = manage("dead-letters", "--json"), manage("dead-letters", "--json", "--tenant", 8)

    assert [each["id"] for each in everyone.json["dead_letters"]] == [worked_day["lost"], worked_day["broken"]]
    assert [each["error_message"] for each in one.json["dead_letters"]] == ["there is no such key"]
    assert "`retry ID ...`" in manage("dead-letters").out


def test_no_dead_letters_is_said_so(manage, db):
    said = manage("dead-letters")

    assert (said.code, said.out) == (0, "No dead letters.\n")


def test_show_tells_every_attempt_with_error_and_traceback_but_no_arguments(manage, worked_day):
    said = manage("show", worked_day["broken"], "--json")

    assert said.code == 0
    job, attempts = said.json["job"], said.json["attempts"]
    assert (job["status"], job["task"], job["tenant"], job["attempts"]) == ("failed", "break_window", 7, 1)
    assert [each["outcome"] for each in attempts] == ["failed"]
    assert "ValueError: the window [broke]" in attempts[0]["traceback"]
    assert "args" not in job
    assert "Mr Doe" not in said.out
    assert "ValueError: the window [broke]" in manage("show", worked_day["broken"]).out


def test_show_gives_arguments_only_when_asked(manage, worked_day):
    said = manage("show", worked_day["broken"], "--args", "--json")

    assert said.json["job"]["args"] == {"guest": "Mr Doe"}
    assert "Mr Doe" in manage("show", worked_day["broken"], "--args").out


def test_show_finds_a_job_that_has_left_the_queue_with_its_result(manage, worked_day):
    said = manage("show", worked_day["done"], "--json")

    assert (said.json["job"]["status"], said.json["job"]["is_in_queue"]) == ("succeeded", False)
    assert said.json["attempts"][0]["result"] == {"polished": 3}


def test_show_tells_what_an_attempt_printed_the_whole_of_it_in_json(manage, worked_day):
    printed = "line of output\n" * 1_000
    TaskExecutionHistory.objects.filter(job_id=worked_day["done"]).update(output=printed)

    assert manage("show", worked_day["done"], "--json").json["attempts"][0]["output"] == printed
    assert "attempt 1 printed: line of output" in manage("show", worked_day["done"]).out


def test_show_of_a_waiting_sweep_names_its_tenant_and_its_attempts_though_both_are_0(manage, tasks):
    object.__setattr__(tasks.build_tower, "guard", None)
    job_id = manage("submit", "build_tower", "--json").json["job"]["id"]

    facts = dict(line.split() for line in manage("show", job_id).out.splitlines() if len(line.split()) == 2)

    assert (facts["tenant"], facts["attempts"], facts["status"]) == ("0", "0", "todo")
    assert "abort_requested" not in facts


def test_show_of_another_tenants_job_or_of_none_is_not_found(manage, worked_day):
    for words in (["show", worked_day["broken"], "--tenant", 8], ["show", 10**12]):
        said = manage(*words, "--json")

        assert said.code == 1
        assert said.json["error"]["type"] == "JobNotFound"
        assert f"No job has the id {words[1]} here" in said.err


def test_tasks_lists_what_each_declares_and_marks_what_is_not_built(manage, tasks):
    said = manage("tasks", "--json")

    found = {each["name"]: each for each in said.json["tasks"]}
    floor, tower = found["polish_floor"], found["build_tower"]
    contract = ("queue", "priority", "timeout_s", "max_attempts", "schedule", "seed_class")
    assert tuple(floor[key] for key in contract) == ("maintenance", 7, 60, 3, None, "")
    assert (floor["arguments"], floor["summary"]) == (
        ["floor=0"],
        "Polish one floor. The second line is not for listings.",
    )
    assert (tower["schedule"], tower["is_built"], floor["is_built"]) == ("5 4 * * *", False, True)
    assert "build_tower (not built yet)" in manage("tasks").out


def test_tasks_of_a_queue(manage, tasks):
    found = manage("tasks", "--json", "--queue", "email").json["tasks"]

    assert "lose_key" in {each["name"] for each in found}
    assert {each["queue"] for each in found} == {"email"}


def test_workers_shows_the_present_ones_with_their_children_and_who_is_silent(manage, db):
    now = timezone.now()
    shared = {"host": "host-a", "pid": 11, "queue_name": "email", "slots": 4}
    children = [{"pid": 12, "memory_bytes": 3 * 2**20, "jobs": 2}]
    TaskWorker.objects.create(pk=1, status="running", children=children, **shared)
    TaskWorker.objects.create(pk=2, status="running", heartbeat_at=now - timedelta(seconds=60), **shared)
    TaskWorker.objects.create(pk=3, status="stopped", stopped_at=now, **shared)

    present, everyone = (
        manage("workers", "--json").json["workers"],
        manage("workers", "--all", "--json").json["workers"],
    )

    assert [each["id"] for each in everyone] == [1, 2, 3]
    assert [each["id"] for each in present] == [1, 2]
    contract = ("id", "host", "pid", "queue", "status", "children")
    assert tuple(present[0][key] for key in contract) == (1, "host-a", 11, "email", "running", children)
    assert [each["is_silent"] for each in everyone] == [False, True, False]
    assert "silent" in manage("workers").out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_table_can_be_printed_whatever_the_terminals_encoding(encoding):
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding)

    printing.as_page(OutputWrapper(written), [table(("name",), [("Zürich ☃",)], empty="")])

    written.seek(0)
    assert "Zürich ☃".encode(encoding, "replace").decode(encoding) in written.read()
