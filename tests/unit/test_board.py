"""The page that a worker shares with a child: who runs, and until when."""

from __future__ import annotations

import math
import os
import signal
import time

from youtility_tasks.workers import family
from youtility_tasks.workers.board import Board


def test_it_names_the_jobs_that_run_and_no_others() -> None:
    board, fd = Board.make()
    os.close(fd)
    first, second = board.start(11), board.start(22)
    board.end(first)

    assert board.running() == {22}

    board.end(second)
    assert board.running() == set()


def test_it_still_speaks_for_a_process_that_was_killed() -> None:
    board, fd = Board.make()

    def live() -> None:
        mine = Board(fd)
        mine.end(mine.start(1))
        mine.start(2)
        os.kill(os.getpid(), signal.SIGKILL)

    pid = family.fork(live)
    os.close(fd)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert board.running() == {2}


def test_a_lease_is_over_once_its_deadline_has_passed() -> None:
    board, fd = Board.make()
    os.close(fd)
    assert not board.lease_is_over()  # none was given yet
    assert board.lease_left_s() == math.inf

    board.extend(time.monotonic() + 60)
    assert not board.lease_is_over()

    board.extend(time.monotonic() - 0.001)
    assert board.lease_is_over()


def test_a_child_that_gave_up_is_known_after_the_lease_was_renewed() -> None:
    board, fd = Board.make()
    other = Board(fd)
    os.close(fd)
    other.give_up()

    board.extend(time.monotonic() + 60)

    assert board.has_given_up()
    assert board.running() == set()
