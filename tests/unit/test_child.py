"""What a child does when something of its own fails."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from asgiref.sync import SyncToAsync

from tests.acceptance.crew import until
from youtility_tasks import failpoints, queues, tasks_api
from youtility_tasks.workers import child, family, run, wire
from youtility_tasks.workers.board import Board


def fails(*_: Any) -> Any:
    raise MemoryError


async def fails_async(*_: Any) -> Any:
    raise MemoryError


def a_sync_task() -> None: ...


async def an_async_task() -> None: ...


def status_of_a_child_that_was_given(task_name: str, board_fd: int) -> int:
    """The exit status, once it has ended."""
    ours, theirs = socket.socketpair()

    def begin() -> None:
        os.setpgid(0, 0)  # it may kill its group, as the nursery's own children do
        # An earlier test may have started asgiref's thread, which no copy of this process has; no nursery has one.
        SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)
        child.main(theirs, board_fd, 1, "maintenance")

    pid = family.fork(begin)
    theirs.close()
    ended = (0, 0)

    def has_ended() -> bool:
        nonlocal ended
        ended = os.waitpid(pid, os.WNOHANG)
        return ended[0] == pid

    try:
        ours.sendall(wire.pack({"run": [[7, 1, task_name, "{}", 1, 0, 1, None]]}))
        until(has_ended, within_s=5, why="it waits for a job that nobody runs any more")
    finally:
        ours.close()
        if not ended[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(ended[1])


@pytest.mark.parametrize(
    ("function", "module", "broken", "instead"),
    [
        (a_sync_task, run, "run_sync", fails),
        (a_sync_task, child, "_drop_broken_connections", fails),
        (an_async_task, run, "run_async", fails_async),
        (an_async_task, child, "_drop_broken_connections", fails),
    ],
    ids=["sync", "sync, connections", "async", "async, connections"],
)
def test_a_child_that_cannot_report_a_job_ends_and_the_job_is_seen_to_have_run(
    declare: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    function: Any,
    module: Any,
    broken: str,
    instead: Any,
) -> None:
    task = declare(function, tenant="all")
    monkeypatch.setattr(module, broken, instead)
    board, board_fd = Board.make()

    try:
        assert status_of_a_child_that_was_given(task.name, board_fd) == 1
        assert board.running() == {7}
    finally:
        os.close(board_fd)
        board.close()


@pytest.mark.parametrize("function", [a_sync_task, an_async_task], ids=["sync", "async"])
def test_nothing_begins_once_the_lease_of_its_worker_is_over(
    declare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, function: Any
) -> None:
    """Not even between two looks at the clocks: others may run it by now."""
    task = declare(function, tenant="all")
    monkeypatch.setattr(child._Child, "look_at_clocks", lambda _: None)
    board, board_fd = Board.make()
    board.extend(time.monotonic() - 0.001)

    try:
        assert status_of_a_child_that_was_given(task.name, board_fd) == -signal.SIGKILL
        assert (board.running(), board.has_given_up()) == (set(), True)
    finally:
        os.close(board_fd)
        board.close()


@pytest.mark.parametrize(
    ("left_s", "at_most_s"), [(60, child._LOOK_AT_CLOCKS_S), (0.1, 0.1), (-1, child._CLOCKS_REST_S)]
)
def test_a_child_that_runs_something_wakes_up_when_the_lease_ends(left_s: float, at_most_s: float) -> None:
    board, board_fd = Board.make()
    os.close(board_fd)
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(board):
        one = child._Child(theirs, board, 1, queues.MAINTENANCE)
        one.runs[7] = cast(run.Run, None)
        board.extend(time.monotonic() + left_s)

        assert child._CLOCKS_REST_S <= (one.patience_s() or 0) <= at_most_s


def test_a_child_that_is_roused_for_nothing_reports_the_next_job_at_once(declare: Callable[..., Any]) -> None:
    task = declare(a_sync_task, tenant="all")
    board, board_fd = Board.make()
    os.close(board_fd)
    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(board):
        one, inbox = child._Child(theirs, board, 1, queues.MAINTENANCE), wire.Inbox()
        ours.settimeout(5)
        one.take({"rouse": True})
        assert one.waiting.empty(), "there is nobody to be woken"
        for number in (1, 2):
            one.take({"run": [[number, 1, task.name, "{}", 1, 0, 1, None]]})
            (said,) = wire.receive(ours, inbox) or ()
            assert [each["id"] for each in said["ended"]] == [number]
            one.take({"rouse": True})
            until(one.waiting.empty, within_s=5, why="nobody of the crew was woken")
        one.waiting.put(None)
        one.return_waiting()
        assert not one.endings


rehearsed: list[str] = []


def note_rehearsal() -> None:
    rehearsed.append("here")


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What happens in rehearsals, and what is told or reached meanwhile."""
    rehearsed.clear()
    run._nothing.cache_clear()
    monkeypatch.setattr(run, "_do_nothing", note_rehearsal)
    monkeypatch.setattr(failpoints, "reach", rehearsed.append)
    yield rehearsed
    run._nothing.cache_clear()


def test_a_rehearsal_does_what_is_done_around_a_task_and_tells_nobody(noted: list[str]) -> None:
    def told(**_: Any) -> None:
        rehearsed.append("told")

    signals = (tasks_api.task_started, tasks_api.task_finished)
    for signal_ in signals:
        signal_.connect(told)
    try:
        run.rehearse(queues.MAINTENANCE)
        assert noted == ["here"]
        real = run.Run(run.Assignment(7, 1, "t", {}, 1, 0, 1), run._nothing(queues.MAINTENANCE))
        run.run_sync(real)
        assert noted == ["here", "before_start", "told", "here", "told"]
    finally:
        for signal_ in signals:
            signal_.disconnect(told)


def test_one_of_the_crew_rehearses_when_a_job_is_to_come_and_runs_it_whatever_became_of_that(
    declare: Callable[..., Any], noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = declare(a_sync_task, tenant="all")
    board, board_fd = Board.make()
    os.close(board_fd)
    ours, theirs = socket.socketpair()

    def runs(number: int) -> bool:
        one.take({"run": [[number, 1, task.name, "{}", 1, 0, 1, None]]})
        (said,) = wire.receive(ours, inbox) or ()
        return [each["id"] for each in said["ended"]] == [number]

    with ours, theirs, contextlib.closing(board):
        one, inbox = child._Child(theirs, board, 1, queues.MAINTENANCE), wire.Inbox()
        ours.settimeout(5)
        assert runs(1)
        noted.clear()
        one.take({"rouse": True})
        until(lambda: noted == ["here"], within_s=5, why="nobody rehearses")
        assert not one.endings
        monkeypatch.setattr(run, "rehearse", fails)
        one.take({"rouse": True})
        until(one.waiting.empty, within_s=5, why="nobody of the crew was woken")
        assert runs(2)
