"""A dead worker's line is cut when the last of its processes is gone, and not before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.acceptance.crew import until
from youtility_tasks.conf import QueueSettings
from youtility_tasks.workers import family, supervisor
from youtility_tasks.workers.lifeline import Lifeline


@pytest.fixture
def line() -> Iterator[Lifeline]:
    made = Lifeline()
    yield made
    made.close()


def holder(line: Lifeline) -> int:
    """A process that holds the line until it is killed."""

    def hold() -> None:
        line.hold()
        signal.pause()

    return family.fork(hold)


def bury(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_line_is_cut_when_the_last_of_its_holders_is_dead(line: Lifeline) -> None:
    first, second = holder(line), holder(line)
    line.let_go()
    assert not line.is_cut()

    bury(first)
    assert not line.is_cut()

    bury(second)
    assert line.is_cut()


def test_a_program_that_a_holder_starts_does_not_hold_the_line(line: Lifeline) -> None:
    program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        line.let_go()
        until(line.is_cut, within_s=2)
        assert program.poll() is None
    finally:
        program.kill()
        program.communicate()


def test_a_process_born_later_does_not_hold_the_line_of_one_born_before(line: Lifeline) -> None:
    first = holder(line)
    line.let_go()
    later = Lifeline()
    second = holder(later)
    later.let_go()

    bury(first)

    assert line.is_cut()
    bury(second)
    later.close()


def test_no_two_lives_have_one_token() -> None:
    lines = [Lifeline() for _ in range(10)]

    assert len({line.token for line in lines}) == 10
    for line in lines:
        line.let_go()
        line.close()


@pytest.mark.parametrize(("patience_s", "is_over"), [(60, False), (0, True)])
def test_a_worker_whose_children_stay_is_waited_for_and_never_called_dead(
    monkeypatch: pytest.MonkeyPatch, line: Lifeline, patience_s: float, is_over: bool
) -> None:
    monkeypatch.setattr(supervisor, "_FAREWELL_S", patience_s)
    child = holder(line)
    line.let_go()
    post = supervisor._Post("email", QueueSettings(), line=line, died_at=time.monotonic())

    assert post.see_off() is is_over

    assert not post.dead
    bury(child)


def test_a_worker_that_left_nothing_behind_is_called_dead(line: Lifeline) -> None:
    line.let_go()
    post = supervisor._Post("email", QueueSettings(), line=line, died_at=time.monotonic())

    assert post.see_off()

    assert list(post.dead) == [line.token]


def test_a_supervisor_ends_when_nothing_of_its_workers_runs_any_more(
    line: Lifeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "freeze", lambda: None)
    monkeypatch.setattr(family, "adopt_orphans", lambda: None)
    monkeypatch.setattr(family, "reap", lambda: iter(()))  # this process has children that are not the supervisor's
    left_behind = holder(line)
    line.let_go()
    post = supervisor._Post("email", QueueSettings(), finished=True, line=line, died_at=time.monotonic())
    served = supervisor.Supervisor({})
    served.posts = [post]
    threading.Timer(0.2, bury, [left_behind]).start()

    assert served.run() == 0

    assert list(post.dead) == [line.token], "it has seen the last of them go"
