"""The machine is drawn once; the drawing and the table are the same."""

from __future__ import annotations

import itertools
import re

import pytest

from youtility_tasks import status
from youtility_tasks.history import _FACE
from youtility_tasks.status import LIVE, MOVES, JobStatus


def drawn_moves() -> set[tuple[str, str]]:
    drawing = (status.__doc__ or "").partition("```mermaid")[2].partition("```")[0]
    return set(re.findall(r"^\s*(\S+) --> (\S+)\s*$", drawing, re.MULTILINE))


def test_the_drawing_is_the_table() -> None:
    moves = {(str(before), str(after)) for before, afters in MOVES.items() for after in afters}

    assert drawn_moves() == moves | {("[*]", "todo")}


def test_every_status_has_its_row_in_the_table_and_its_face() -> None:
    assert set(MOVES) == set(JobStatus)
    assert set(_FACE) == set(JobStatus)


def test_a_job_that_ended_well_never_moves_again() -> None:
    for ended in (JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.ABORTED):
        assert not MOVES[ended]


def test_every_status_can_be_reached_and_every_live_job_can_end() -> None:
    reached, ahead = set(), [JobStatus.TODO]
    while ahead:
        at = ahead.pop()
        if at not in reached:
            reached.add(at)
            ahead.extend(MOVES[at])

    assert reached == set(JobStatus)
    for live in LIVE:
        assert any(not MOVES[after] or after is JobStatus.DOING for after in MOVES[live])


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobStatus, JobStatus)))
def test_no_status_follows_itself_and_only_a_waiting_job_starts(before: JobStatus, after: JobStatus) -> None:
    legal = after in MOVES[before]

    if before is after:
        assert not legal
    if after is JobStatus.DOING:
        assert legal is (before is JobStatus.TODO)
