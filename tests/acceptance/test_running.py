"""A real worker runs every kind of task, and records how each ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.crew import Crew, until


def test_a_sync_task_runs_and_its_result_is_kept(shared: Crew) -> None:
    job_id = shared.queue.put("adds", a=1, b=2)

    ending = shared.queue.ending(job_id)

    assert (ending["status"], ending["outcome"], ending["result"], ending["attempt"]) == (
        "succeeded",
        "succeeded",
        3,
        1,
    )
    assert ending["args"] == {"a": 1, "b": 2}
    assert ending["run_ms"] > 0 and ending["cpu_ms"] is not None and ending["peak_memory_kib"] > 1_000
    assert ending["pid"] in {entry["pid"] for entry in shared.diary("ran", task="adds", sum=3)}
    assert job_id not in shared.queue.statuses()


def test_an_async_task_runs_and_its_result_is_kept(shared: Crew) -> None:
    job_id = shared.queue.put("adds_async", a=20, b=2)

    assert shared.queue.ending(job_id)["result"] == 22


def test_a_task_that_asks_is_told_its_context(shared: Crew) -> None:
    job_id = shared.queue.put("tells_context", tenant_id=7, fail_until=3)

    assert shared.queue.ending(job_id)["result"] == {
        "attempt": 3,
        "max_attempts": 3,
        "job_id": job_id,
        "task_name": "tells_context",
        "tenant_id": 7,
        "queue_name": "maintenance",
        "time_left": True,
        "should_abort": False,
    }
    assert shared.queue.attempts(job_id) == ["retry", "retry", "succeeded"]


def test_an_isolated_task_has_a_process_to_itself_that_ends_with_it(shared: Crew) -> None:
    first, second = (shared.queue.put("tells_pid") for _ in range(2))

    pids = {shared.queue.ending(job_id)["result"] for job_id in (first, second)}

    assert len(pids) == 2
    until(lambda: not pids & {process.pid for process in shared.supervisors[0].family()}, why="they have ended")


def test_a_job_runs_in_its_tenant_and_so_does_what_it_enqueues(shared: Crew) -> None:
    job_id = shared.queue.put("tells_tenant", tenant_id=7)

    assert shared.queue.ending(job_id)["result"] == 7
    until(lambda: len(shared.diary("tenant")) == 2, why="the child has run")
    assert [entry["tenant"] for entry in shared.diary("tenant")] == [7, 7]


def test_a_task_of_one_tenant_does_not_run_without_one(shared: Crew) -> None:
    """Someone put it there by SQL, or the task was for all tenants when it was enqueued."""
    job_id = shared.queue.put("tells_tenant", child=False)

    ending = shared.queue.ending(job_id)

    assert (ending["outcome"], ending["error_class"]) == ("bad_input", "youtility_tasks.errors.BadInput")
    assert "with tenant(id)" in ending["error_message"]


def test_a_bug_is_retried_and_then_a_dead_letter_with_its_arguments(shared: Crew) -> None:
    job_id = shared.queue.put("always_fails")

    ending = shared.queue.ending(job_id)

    assert shared.queue.attempts(job_id) == ["retry", "retry", "failed"]
    assert (ending["error_class"], ending["error_message"]) == ("builtins.ValueError", "a bug")
    assert 'raise ValueError("a bug")' in ending["traceback"]
    assert shared.queue.statuses()[job_id] == "failed"


def test_bad_input_is_never_retried(shared: Crew) -> None:
    job_id = shared.queue.put("refuses")

    assert shared.queue.ending(job_id)["outcome"] == "bad_input"
    assert shared.queue.attempts(job_id) == ["bad_input"]


def test_arguments_that_no_longer_fit_are_an_error_of_the_job_alone(shared: Crew) -> None:
    job_id = shared.queue.put("adds", a=1, c=3)

    assert shared.queue.ending(job_id)["error_class"] == "builtins.TypeError"


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("nan", {"n": "nan", "i": ["inf"]}),
        ("nul", "a␀b"),
        ("half", "\\ud800"),
        ("object", "<class 'object'>"),
        ("set", [3]),
        ("bytes", "b'\\xff'"),
        ("huge", {"_dropped": "the result has 10000002 bytes, more than 262144"}),
        ("large", "x" * 200_000),
    ],
)
def test_a_result_that_json_cannot_carry_never_keeps_a_job_from_ending(shared: Crew, kind: str, result: Any) -> None:
    ending = shared.queue.ending(shared.queue.put("returns_oddly", kind=kind))

    assert ending["status"] == "succeeded"
    assert ending["result"] == result


@pytest.mark.parametrize("kind", ["unprintable", "misnamed", "endless", "recursion", "group"])
def test_an_error_that_cannot_be_told_never_keeps_a_job_from_ending(shared: Crew, kind: str) -> None:
    ending = shared.queue.ending(shared.queue.put("raises_oddly", kind=kind))

    assert ending["outcome"] == "failed"
    assert ending["error_class"]
    assert len(ending["error_message"]) <= 10_000
    assert len(ending["traceback"]) <= 50_000


@pytest.mark.parametrize(
    ("task_name", "how", "error"),
    [
        ("exits_politely", "sys.exit", "builtins.SystemExit"),
        ("exits_politely", "interrupt", "builtins.KeyboardInterrupt"),
        ("exits_politely", "generator", "builtins.GeneratorExit"),
        ("exits_politely_async", None, "builtins.SystemExit"),
    ],
)
def test_leaving_is_a_failure_of_the_task_and_ends_no_process(
    shared: Crew, task_name: str, how: str | None, error: str
) -> None:
    job_id = shared.queue.put(task_name, **({"how": how} if how else {}))

    ending = shared.queue.ending(job_id)

    assert (ending["outcome"], ending["error_class"]) == ("failed", error)
    assert shared.queue.ending(shared.queue.put("adds_async", a=1, b=1))["result"] == 2


def test_a_task_that_leaves_its_connection_in_a_transaction_harms_no_later_one(shared: Crew) -> None:
    for _ in range(4):  # one for each thread
        shared.queue.ending(shared.queue.put("leaves_a_broken_transaction"))

    for _ in range(4):
        assert shared.queue.ending(shared.queue.put("reads"))["result"] == 1


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "result"),
    [("joins", ["a", "b", "c"], {"end": "!"}, "a-b-c!"), ("joins_async", ["a"], {"second": "b"}, "a-b")],
)
def test_another_packages_task_runs_by_its_path(
    shared: Crew, name: str, args: list[str], kwargs: dict[str, str], result: str
) -> None:
    job_id = shared.queue.put(f"tests.acceptance.app.plain.{name}", args=args, kwargs=kwargs)

    assert shared.queue.ending(job_id)["result"] == result


def test_a_job_whose_task_this_code_does_not_know_waits_for_other_code(shared: Crew) -> None:
    job_id = shared.queue.put("task_of_tomorrow")
    dangerous = shared.queue.put("os.system", command="true")

    def waits_again() -> bool:
        found = shared.queue.rows(
            "SELECT count(*) FROM procrastinate_jobs WHERE id = ANY (%s) AND status = 'todo' AND claim_number > 0 "
            "AND attempts = 0 AND scheduled_at > now() + interval '5 seconds'",
            [job_id, dangerous],
        )
        return bool(found[0][0] == 2)

    until(waits_again, why="both were put back for later")


@pytest.mark.parametrize("task_name", ["reads", "reads_async"])
def test_connections_that_the_server_cut_are_replaced(shared: Crew, task_name: str) -> None:
    for _ in range(4):
        assert shared.queue.ending(shared.queue.put(task_name))["status"] == "succeeded"

    shared.queue.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    endings = [shared.queue.ending(shared.queue.put(task_name))["status"] for _ in range(6)]

    assert endings == ["succeeded"] * 6


def test_no_more_async_jobs_run_side_by_side_than_a_queue_allows(crew: Crew) -> None:
    """Threads that are free must not be taken for room: 120 jobs would all be begun at once."""
    crew.start(threads=4)
    gate = crew.gate()
    jobs = [crew.queue.put("waits_async", until=str(gate)) for _ in range(120)]

    crew.began(50)
    crew.next_heartbeat("running")
    crew.next_heartbeat("running")

    assert len(crew.diary("begin")) == 50
    gate.touch()
    for job_id in jobs:
        assert crew.queue.ending(job_id)["status"] == "succeeded"


def test_the_copy_of_a_task_that_forked_ends_where_the_task_returns(crew: Crew) -> None:
    """It would report an ending of its own, and run its copies of the jobs that wait in the child."""
    crew.start(threads=1)
    with crew.queue.transaction():
        forking = crew.queue.put("forks_and_comes_back_twice")
        behind = [crew.queue.put("adds", a=n, b=0) for n in range(20)]

    assert crew.queue.ending(forking)["result"] == "task"
    for job_id in behind:
        crew.queue.ending(job_id)
    assert sorted(entry["sum"] for entry in crew.diary("ran")) == list(range(20))


@pytest.mark.parametrize(("how", "status"), [("closed", "succeeded"), ("gone", "succeeded"), ("bytes", "failed")])
def test_what_a_task_did_to_its_output_is_undone_for_the_next_one(shared: Crew, how: str, status: str) -> None:
    spoiler = shared.queue.ending(shared.queue.put("spoils_its_output", how=how))
    assert spoiler["status"] == status

    talker = shared.queue.ending(shared.queue.put("talks", words="first\n", times=2))

    assert talker["pid"] == spoiler["pid"], "both ran in one child"
    assert talker["output"].startswith("first\nfirst\nWARNING tests.acceptance.app.tasks said it 2 times")
