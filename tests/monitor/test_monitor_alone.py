"""The monitor beside what may go wrong: no textual, no terminal, no database; one snapshot; what it costs."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.acceptance.crew import Crew, Queue, until
from tests.monitor.conftest import ACME, BETA, Play, Screen, Yard
from tests.monitor.test_monitor_keys import answer, choose
from tests.monitor.test_monitor_screen import a_worker
from youtility_tasks import controls, monitor
from youtility_tasks.errors import ExtraMissing, Refused
from youtility_tasks.listing import JobFilter
from youtility_tasks.monitor import desk
from youtility_tasks.monitor.desk import Desk, Pane

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def crew(yard: Yard, cluster: Any, tmp_path: Path) -> Iterator[Crew]:
    """Real workers on the database that the monitor looks at."""
    url = cluster.url(connection.settings_dict["NAME"])
    made = Crew(Queue(url), {**os.environ, "DATABASE_URL": url}, tmp_path)
    yield made
    made.close()


# -- without a screen


def test_without_textual_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(ExtraMissing, match=r"needs textual.*pip install 'youtility-tasks\[monitor\]'.*--once"):
        monitor.run(None)


def test_the_rest_is_imported_without_textual() -> None:
    script = (
        "import sys, django\nsys.modules['textual'] = None\ndjango.setup()\n"
        "import youtility_tasks.management.commands.manage_task_queue, youtility_tasks.monitor\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("deaf", ["stdin", "stdout", "stderr"])
def test_where_nobody_looks_it_is_refused(monkeypatch: pytest.MonkeyPatch, deaf: str) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, SimpleNamespace(isatty=lambda name=name: name != deaf))

    with pytest.raises(Refused, match="--once"):
        monitor.run(None)


def test_one_snapshot_for_programs_and_for_people(yard: Yard, manage: Any) -> None:
    yard.put(ACME, yard.polish), yard.put(BETA, yard.polish)
    controls.pause(queue="email", tenant=ACME, reason="fire")
    a_worker()

    of_all, of_acme = manage("monitor", "--json"), manage("monitor", "--json", "--tenant", ACME)

    for said, todo, is_paused in ((of_all, 2, False), (of_acme, 1, True)):
        (email,) = (each for each in said.json["queues"] if each["queue"] == "email")
        assert (said.code, email["todo"], email["is_paused"]) == (0, todo, is_paused)
        assert [each["reason"] for each in said.json["controls"]] == ["fire"]
    assert [each["id"] for each in of_all.json["workers"]] == [14] and of_acme.json["workers"] is None
    assert (
        "north:11" in manage("monitor", "--once").out
        and "north" not in manage("monitor", "--once", "--tenant", ACME).out
    )


@pytest.mark.parametrize(
    ("words", "code"), [(("--tenant", "99"), 1), (("--tenant", "x"), 2), (("--interval", "0"), 2), (("--interval",), 2)]
)
def test_what_cannot_be_meant(yard: Yard, manage: Any, words: tuple[str, ...], code: int) -> None:
    said = manage("monitor", "--once", *words)

    assert said.code == code and said.out == "" and said.err


# -- the database


@pytest.mark.parametrize("pane", list(Pane))
def test_a_look_is_a_few_statements_however_much_there_is(yard: Yard, pane: Pane) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            Desk(None).look(pane, JobFilter())
        return len(asked)

    yard.put(ACME, yard.polish)
    a_worker()
    few = cost()
    for number in range(20):
        yard.put(ACME, yard.polish)
        a_worker(id=20 + number)

    assert cost() == few <= 7


def test_rates_are_not_counted_with_each_look(yard: Yard) -> None:
    asks = Desk(None)
    asks.look(Pane.QUEUES, JobFilter())

    with CaptureQueriesContext(connection) as asked:
        asks.look(Pane.QUEUES, JobFilter())

    assert not any("percentile_cont" in each["sql"] for each in asked)


def test_a_lost_database_is_told_and_found_again(yard: Yard, play: Play, cluster: Any) -> None:
    yard.put(ACME, yard.polish)
    connection.ensure_connection()
    name = connection.settings_dict["NAME"]

    def pid() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    async def story(screen: Screen) -> None:
        await screen.shows("todo 1 ")
        its = await screen.app.desk.ask(pid)
        cluster.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        cluster.run(f"SELECT pg_terminate_backend({its})")
        screen.app.action_again()
        await screen.shows("does not answer", "todo 1 ")
        await screen.press("3", "enter", "2", "1")
        await screen.shows("does not answer")
        cluster.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await screen.looked()
        await screen.until(lambda: "does not answer" not in screen.text)
        assert screen.app.board().chosen

    try:
        play(story, size=(110, 30))
    finally:
        cluster.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_an_answer_that_does_not_come_is_told(yard: Yard, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(screen: Screen) -> None:
        def hang() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(60)")

        with monkeypatch.context() as impatient, pytest.raises(desk.Unreachable):
            impatient.setattr(desk, "DEADLINE_S", 0.3)
            await screen.app.desk.ask(hang)
        await screen.looked()

    play(story)


# -- beside a real worker


def test_a_real_worker_is_seen_at_work_quieted_and_its_job_aborted(yard: Yard, play: Play, crew: Crew) -> None:
    crew.start(threads=2)
    job = crew.queue.put("waits", until=str(crew.gate()))
    crew.began(1)
    ((worker,),) = crew.queue.rows("SELECT max(id) FROM youtility_tasks_taskworker")

    async def story(screen: Screen) -> None:
        await screen.shows("doing 1")
        await choose(screen, "2", worker)
        await screen.until(lambda: screen.app.board().lines[str(worker)][2:4] == ("running", "1"))
        await screen.press("z")
        await answer(screen, "deploy")
        await screen.until(lambda: screen.app.board().lines[str(worker)][2] == "quiet", "it is quiet")
        await choose(screen, "3", job)
        await screen.press("c")
        await answer(screen, "too long")
        await screen.until(lambda: screen.app.board().lines[str(job)][1] == "aborted", "the job was aborted")

    play(story, size=(110, 30), interval_s=0.1)


def test_in_a_terminal_of_80_by_24_it_comes_and_goes(fresh_database: Any) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {**fresh_database.env, "DJANGO_SETTINGS_MODULE": "youtility_tasks.standalone.settings", "TERM": "xterm"}
    command = [sys.executable, "-m", "django", "manage_task_queue", "monitor"]
    shown = bytearray()

    def see() -> bool:
        if select.select([ours], [], [], 0)[0]:
            shown.extend(os.read(ours, 65_536))
        return b"high_priority" in shown

    with subprocess.Popen(command, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as program:
        try:
            until(see, why="the queues are shown")
            os.write(ours, b"p")
            until(lambda: see() and b"no job of it starts" in shown, why="the question")
            os.write(ours, b"fire\r")
            until(lambda: see() and b"paused: fire" in shown, why="it is paused")
            os.write(ours, b"q")
            until(lambda: see() and program.poll() is not None, why="it has gone")
        finally:
            program.kill()
        assert program.returncode == 0
        assert b"by hand" not in shown, "a line of the log in the middle of the screen"
    os.close(ours), os.close(theirs)
