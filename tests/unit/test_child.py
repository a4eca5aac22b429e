"""What a child does when something of its own fails."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import SyncToAsync

from tests.acceptance.crew import until
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
        # An earlier test may have started asgiref's thread, which no copy of this process has; no nursery has one.
        SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)
        child.main(theirs, board_fd, 1)

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
