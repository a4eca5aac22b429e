"""procrastinate's API, command line, shell and admin on a queue that our worker has worked, and works."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import procrastinate
import psutil
import pytest
from procrastinate import jobs

from tests.acceptance import stock
from tests.acceptance.crew import REPOSITORY, Crew, until

Answer = TypeVar("Answer")


def ask(crew: Crew, question: Callable[[procrastinate.manager.JobManager], Awaitable[Answer]]) -> Answer:
    """Ask procrastinate's JobManager, through an App that knows nothing of us."""

    async def answer() -> Answer:
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=crew.queue.url))
        async with app.open_async():
            return await question(app.job_manager)

    return asyncio.run(answer())


def running_job(crew: Crew) -> tuple[int, Any]:
    """A job that our worker runs, and the gate that it waits for."""
    gate = crew.gate()
    job_id = crew.queue.put("waits", until=str(gate))
    crew.began()
    return job_id, gate


def works_on(crew: Crew) -> bool:
    """Whether a further job comes to its end."""
    return bool(crew.queue.ending(crew.queue.put("adds", a=1, b=1))["result"] == 2)


# -- finished jobs


def test_an_ended_job_is_in_our_history_and_no_longer_in_procrastinates_list(crew: Crew) -> None:
    crew.start()
    succeeded, failed = crew.queue.put("adds", a=1, b=1), crew.queue.put("refuses")
    crew.queue.ending(succeeded), crew.queue.ending(failed)

    assert ask(crew, lambda manager: manager.list_jobs_async(status="succeeded")) == []
    assert [job.id for job in ask(crew, lambda manager: manager.list_jobs_async(status="failed"))] == [failed]
    with pytest.raises(procrastinate.exceptions.NoResult):
        ask(crew, lambda manager: manager.get_job_status_async(succeeded))
    assert ask(crew, lambda manager: manager.get_job_status_async(failed)) == jobs.Status.FAILED
    assert crew.queue.attempts(succeeded) == ["succeeded"]


def test_procrastinates_clean_up_deletes_dead_letters_and_leaves_what_waits_and_our_history(crew: Crew) -> None:
    crew.start()
    failed, waiting = crew.queue.put("refuses"), crew.queue.put("adds", a=1, b=1, _scheduled_at="2100-01-01")
    unnoted = crew.queue.put("refuses", _noted=False)
    for job_id in (failed, unnoted):
        crew.queue.ending(job_id)

    ask(crew, lambda manager: manager.delete_old_jobs(0))
    assert set(crew.queue.statuses()) == {failed, waiting, unnoted}
    ask(crew, lambda manager: manager.delete_old_jobs(0, include_failed=True))

    assert crew.queue.statuses() == {waiting: "todo"}
    assert crew.queue.attempts(failed) == ["bad_input"]


# -- its hands on a job that our worker runs


def test_a_running_job_that_is_retried_by_hand_runs_again_and_its_first_run_counts_for_nothing(crew: Crew) -> None:
    crew.start()
    job_id, gate = running_job(crew)
    ((now,),) = crew.queue.rows("SELECT now()")

    ask(crew, lambda manager: manager.retry_job_by_id_async(job_id, retry_at=now))
    assert works_on(crew), "claimed anew by the very worker that still runs it"
    crew.began(2)
    gate.touch()

    assert crew.queue.ending(job_id)["attempt"] == 2
    assert crew.queue.attempts(job_id) == ["succeeded"]
    assert works_on(crew)


def test_a_running_job_that_is_finished_by_hand_stays_as_it_was_finished(crew: Crew) -> None:
    crew.start()
    job_id, gate = running_job(crew)

    ask(crew, lambda manager: manager.finish_job_by_id_async(job_id, jobs.Status.FAILED, delete_job=False))
    until(lambda: not crew.queue.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'doing'"))
    gate.touch()

    assert works_on(crew)
    assert crew.queue.statuses() == {job_id: "failed"}


def test_a_running_job_whose_row_is_deleted_ends_and_its_worker_goes_on(crew: Crew) -> None:
    crew.start()
    job_id, gate = running_job(crew)

    ask(crew, lambda manager: manager.finish_job_by_id_async(job_id, jobs.Status.SUCCEEDED, delete_job=True))
    gate.touch()

    assert works_on(crew)
    assert crew.queue.statuses() == {}


def test_a_cancelled_job_can_be_deleted_at_once(crew: Crew) -> None:
    crew.start()
    waiting = crew.queue.put("adds", a=1, b=1, _scheduled_at="2100-01-01")

    assert ask(crew, lambda manager: manager.cancel_job_by_id_async(waiting, delete_job=True)) is True

    assert crew.queue.statuses() == {}


def test_a_worker_that_is_pruned_while_it_works_registers_anew_and_its_job_runs(crew: Crew) -> None:
    crew.start()
    job_id, gate = running_job(crew)
    ((before, _),) = crew.queue.workers()

    assert ask(crew, lambda manager: manager.prune_stalled_workers(0)) == [before]
    until(
        lambda: [worker_id for worker_id, _ in crew.queue.workers()] not in ([], [before]), why="it has registered anew"
    )
    gate.touch()

    assert crew.queue.ending(job_id)["status"] == "succeeded"
    assert works_on(crew)


# -- stalled jobs


def test_jobs_of_a_living_worker_are_never_stalled_and_those_of_a_dead_one_are(crew: Crew) -> None:
    supervisor = crew.start()
    job_id, gate = running_job(crew)

    assert ask(crew, lambda manager: manager.get_stalled_jobs(seconds_since_heartbeat=2)) == []
    for process in [*supervisor.family(), supervisor.process]:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has died with one of those before
            process.kill()
    supervisor.wait()
    crew.queue.rows("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'")
    (stalled,) = ask(crew, lambda manager: manager.get_stalled_jobs())
    assert (stalled.id, stalled.task_name) == (job_id, "waits")
    # procrastinate's own recipe for a stalled job
    ask(crew, lambda manager: manager.retry_job(stalled))
    gate.touch()
    stock.run_worker_once(crew)

    assert crew.queue.statuses() == {job_id: "succeeded"}


# -- its command line


def test_healthchecks_pass_on_our_schema(crew: Crew) -> None:
    crew.start()

    said = stock.say(crew, "healthchecks")

    assert said.count("OK") == 4


def test_the_shell_lists_retries_and_cancels(crew: Crew) -> None:
    crew.start()
    failed = crew.queue.put("refuses", _lock="l")
    crew.queue.ending(failed)
    waiting = crew.queue.put("adds", a=1, b=1, _scheduled_at="2100-01-01", _lock="m")
    typed = f"list_jobs\nlist_queues\nlist_tasks\nlist_locks\ncancel {waiting}\nretry {failed}\nexit\n"

    said = stock.say(crew, "shell", typed=typed)

    assert f"#{failed} refuses on maintenance - [failed]" in said
    assert f"#{waiting} adds on maintenance - [todo]" in said
    assert f"#{waiting} adds on maintenance - [cancelled]" in said
    for name in ("maintenance: 2 jobs", "adds: 1 jobs", "refuses: 1 jobs", "l: 1 jobs", "m: 1 jobs"):
        assert name in said
    until(lambda: crew.queue.attempts(failed) == ["bad_input", "bad_input"], why="it has run again")


def test_a_job_deferred_on_the_command_line_runs_in_our_worker(crew: Crew) -> None:
    crew.start()

    stock.say(crew, "defer", "adds", json.dumps({"a": 2, "b": 3}))

    until(lambda: crew.diary("ran", sum=5), why="it has run")


# -- its admin

LOOK = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
client = Client(HTTP_HOST="localhost")
client.force_login(User.objects.create_superuser("ann"))
print(client.get("/admin/procrastinate/procrastinatejob/").content.decode())
def act(name, job_id):
    told = {"action": name, "_selected_action": [job_id]}
    assert client.post("/admin/procrastinate/procrastinatejob/", told).status_code == 302, name
"""


def in_admin(crew: Crew, *acts: tuple[str, int]) -> str:
    """Open the list of procrastinate's admin, and do these to jobs; the list as it was before."""
    program = LOOK + "".join(f"act({name!r}, {job_id})\n" for name, job_id in acts)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY, env=stock.environment(crew), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_procrastinates_admin_lists_retries_cancels_and_aborts(crew: Crew) -> None:
    crew.start()
    failed = crew.queue.put("refuses")
    crew.queue.ending(failed)
    waiting = crew.queue.put("adds", a=1, b=1, _scheduled_at="2100-01-01")
    job_id, _ = running_job(crew)

    page = in_admin(crew, ("cancel", waiting), ("retry", failed), ("abort", job_id))

    for words in ("refuses", "adds", "waits", "Failed", "Todo", "Doing"):
        assert words in page
    assert crew.queue.statuses()[waiting] == "cancelled"
    assert crew.queue.ending(job_id)["status"] == "aborted"
    until(lambda: crew.queue.attempts(failed) == ["bad_input", "bad_input"], why="it has run again")
